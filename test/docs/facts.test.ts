/**
 * What the documents name exists: each code of a fault, and each value of the worked example.
 * @module
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULTS } from '../../src/base/fault/index.ts';
import { ROOT, allPages, blocksOf, linesOf } from './page.ts';

/** Words in capitals that are no codes: what an environment is asked for, and flags of others. */
const NO_CODES = /^(TOLLCALL|BENCH|NODE|XDG|NO_COLOR|SEED_PRICE)|_REFUSALS$/;

test('every code in the documents is one', () => {
  const named = allPages().flatMap((page) => {
    const codes = linesOf(page)
      .join('\n')
      .matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g);
    return [...codes].map(([, code = '']) => ({ page, code }));
  });
  assert.ok(named.length > 100);
  const unknown = named.filter(({ code }) => !(code in FAULTS) && !NO_CODES.test(code));
  assert.deepEqual(unknown, []);
});

test('the worked example of bundle.md is in the vectors', () => {
  const vectors = readFileSync(join(ROOT, 'test', 'vectors-own', 'bundle.json'), 'utf8');
  const lines = linesOf('docs/bundle.md');
  const start = lines.findIndex((line) => line.startsWith('## 13.'));
  const blocks = blocksOf('docs/bundle.md').filter(({ at }) => at > start);
  const values = blocks
    .flatMap((block) => block.lines)
    .map((line) => line.split(/ {2,}|\) /).at(-1));
  assert.ok(values.length > 15);
  const made = values.map((value) => JSON.stringify(value?.trim()).slice(1, -1));
  assert.deepEqual(
    made.filter((value) => !vectors.includes(value)),
    [],
  );
});

test('JSON in the documents is JSON', () => {
  const blocks = allPages()
    .flatMap(blocksOf)
    .filter(({ language }) => language === 'json');
  assert.ok(blocks.length > 0);
  for (const { lines } of blocks) JSON.parse(lines.join('\n'));
});
