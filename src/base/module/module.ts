/**
 * Finds modules beside a module. The compiler rewrites the extension in an import, not in a URL:
 * workers and child processes are found with the extension that the module itself has.
 * @module
 */
import { extname } from 'node:path';

/** True for a module that was built; false for one that runs as source. */
export function isBuilt(moduleUrl: string): boolean {
  return extname(moduleUrl) !== '.ts';
}

/**
 * The address of a module, to start it in a worker or a process.
 * @param moduleUrl `import.meta.url` of the module that asks
 * @param path relative to it, without an extension: `./sqlite-worker`
 */
export function moduleBeside(moduleUrl: string, path: string): URL {
  return new URL(`${path}${extname(moduleUrl)}`, moduleUrl);
}
