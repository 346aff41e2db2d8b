/**
 * A failure inside the node is fatal: an exception that reaches LDK leaves its locks held, and
 * what it holds in memory can no longer be trusted. The process ends, and starts again from disk.
 * @module
 */

/** The exit code of a node that met an internal error. */
export const EXIT_BROKEN = 70;

/** Ends the process. Says where it happened, not the message: messages may quote secrets. */
export function fatal(error: unknown): never {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n') : [];
  const at = frames.filter((line) => /^\s+at /.test(line)).slice(0, 8);
  const name = error instanceof Error ? error.name : typeof error;
  process.stderr.write(`node failed: ${name}\n${at.join('\n')}\n`);
  process.exit(EXIT_BROKEN);
}

/** The same function, for LDK or a timer to call: it never throws. */
export function guarded<A extends readonly unknown[], R>(
  work: (...args: A) => R,
): (...args: A) => R {
  return (...args) => {
    try {
      return work(...args);
    } catch (error) {
      return fatal(error);
    }
  };
}
