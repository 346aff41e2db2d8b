#!/usr/bin/env node
/**
 * Starts the command line. Plain JavaScript that checks the Node version before it loads anything:
 * an older Node would fail with an error that explains nothing.
 * @module
 */
import { existsSync } from 'node:fs';

const OLDEST_NODE = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(
    `tollcall needs Node ${OLDEST_NODE} or newer; this is ${process.versions.node}.\n` +
      'Install it (https://nodejs.org), or in the repository run "npm start", which brings its own.\n',
  );
  process.exit(1);
}

const source = new URL('../src/cli/main.ts', import.meta.url);
const built = new URL('../dist/cli/main.js', import.meta.url);
// The repository runs its source; the installed package has none.
await import((existsSync(source) ? source : built).href);
