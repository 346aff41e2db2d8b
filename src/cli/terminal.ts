/**
 * What people see: steps with their time, tables, colours where the terminal wants them.
 * @module
 */
import { styleText } from 'node:util';
import { systemClock } from '../base/time/index.ts';

/** Where a command writes. */
export interface Terminal {
  /** A line. */
  line(text?: string): void;
  /**
   * Runs a step; shows that it is under way where a line can be rewritten, and how long it took.
   */
  step<T>(name: string, run: () => Promise<T>, say: (value: T) => string): Promise<T>;
  /**
   * Columns, the first row a heading; columns that hold numbers are aligned to the right. Where
   * they do not fit, each row becomes a block of lines.
   */
  table(rows: readonly (readonly string[])[], right?: readonly number[]): void;
  /** Names and values, a line each. */
  fields(rows: readonly (readonly [string, string])[]): void;
  /** Shows how far something is, on a line that the next one replaces; nothing in a pipe. */
  progress(text: string): void;
  /** Takes the progress line away. */
  progressDone(): void;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

const NAME_WIDTH = 9;

/** A terminal over a stream. `quiet` writes nothing, for `--json`. */
export function openTerminal(stream: NodeJS.WriteStream, quiet = false): Terminal {
  const colours = !quiet && stream.isTTY && stream.hasColors();
  const style = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    colours ? styleText(format, text, { validateStream: false }) : text;
  const [good, bad, dim, bold] = [style('green'), style('red'), style('dim'), style('bold')];
  const write = (text: string): void => {
    if (!quiet) stream.write(text);
  };
  const live = !quiet && stream.isTTY && process.env['TERM'] !== 'dumb';
  return {
    good,
    bad,
    dim,
    bold,
    line: (text = '') => write(`${text}\n`),
    step: async (name, run, say) => {
      const label = name.padEnd(NAME_WIDTH);
      if (live) write(`  ${dim('…')} ${label} `);
      const startMs = systemClock.monotonicMs();
      const clear = live ? '\r\u001B[2K' : '';
      try {
        const value = await run();
        const took = formatDuration(systemClock.monotonicMs() - startMs);
        write(`${clear}  ${good('✔')} ${label} ${say(value)} ${dim(`(${took})`)}\n`);
        return value;
      } catch (error) {
        write(`${clear}  ${bad('✘')} ${label}\n`);
        throw error;
      }
    },
    table: (rows, right = []) => {
      const lines = formatTable(rows, right);
      const fits = lines.every((text) => text.length + 2 <= columnsOf(stream));
      for (const text of fits ? lines : formatRecords(rows)) write(`  ${text}`.trimEnd() + '\n');
    },
    fields: (rows) => {
      const width = Math.max(NAME_WIDTH, ...rows.map(([name]) => name.length));
      for (const [name, value] of rows) write(`  ${dim(name.padEnd(width))}  ${value}\n`);
    },
    progress: (text) => {
      if (live) write(`\r\u001B[2K  ${dim('…')} ${text.slice(0, columnsOf(stream) - 5)}`);
    },
    progressDone: () => {
      if (live) write('\r\u001B[2K');
    },
  };
}

/** Columns; a terminal that does not say how many it has is wide. */
function columnsOf({ isTTY, columns }: NodeJS.WriteStream): number {
  return isTTY && columns > 0 ? columns : Infinity;
}

/** Rows as lines of equal columns, with a rule under the heading. */
export function formatTable(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  );
  const lines = rows.map((row) =>
    widths
      .map((width, i) =>
        right.includes(i) ? (row[i] ?? '').padStart(width) : (row[i] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [...lines.slice(0, 1), rule, ...lines.slice(1)];
}

/** A block for each row, a line for each of its cells: for terminals that are too narrow. */
export function formatRecords(rows: readonly (readonly string[])[]): string[] {
  const [heading = [], ...records] = rows;
  const width = Math.max(...heading.map((name) => name.length));
  return records.flatMap((row, i) => [
    ...(i === 0 ? [] : ['']),
    ...heading.map((name, k) => `${name.padEnd(width)}  ${row[k] ?? ''}`),
  ]);
}

/** `3 ms`, `1.2 s`. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}
