/**
 * Reads the project's own files into memory, for the tidy checker and its test.
 * @module
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Path from the project's root, with `/`, to the text of the file. */
export type Tree = ReadonlyMap<string, string>;

/** Never part of the project: made by tools, kept out by .gitignore. */
const IGNORED = /^(node_modules|dist|coverage|\.git)$|\.tmp$/;
/** Files whose bytes are no text. */
const BINARY = /\.(png|jpg|gif|ico|wasm|woff2|gz|tgz|zip|db)$/;

/** All text files below a folder. */
export function readTree(root: string): Tree {
  const files = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (IGNORED.test(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && !BINARY.test(path)) {
        files.set(path, readFileSync(join(root, path), 'utf8'));
      }
    }
  };
  walk('');
  return files;
}
