/**
 * Writes the vectors: `node test/vectors-own/make.ts`. When a file changes, a protocol has changed.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleVectors } from './bundle.ts';
import { tickVectors } from './tick.ts';

const files = { 'bundle.json': await bundleVectors(), 'tick.json': tickVectors() };
for (const [name, vectors] of Object.entries(files)) {
  writeFileSync(join(import.meta.dirname, name), `${JSON.stringify(vectors, null, 2)}\n`);
}
