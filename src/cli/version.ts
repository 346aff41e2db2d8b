/**
 * The version of tollcall.
 * @module
 */
import { readFileSync } from 'node:fs';

/** Out of `package.json`: two folders up, in the repository as in the package. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
