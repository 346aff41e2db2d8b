/**
 * Fuzz: every parser of foreign bytes on its corpus, and on what is near to it. It returns or
 * throws a Fault, nothing else.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '../../src/base/fault/index.ts';
import { corpus, corpusNames, mutated } from './corpus.ts';
import { PARSERS, type Parser } from './parsers.ts';

test('every parser has a corpus of both kinds, and every corpus a parser', () => {
  assert.deepEqual(corpusNames(), Object.keys(PARSERS).toSorted());
  for (const name of corpusNames()) {
    const kinds = new Set(corpus(name).map((sample) => sample.name.split('-')[0]));
    assert(kinds.has('good') || kinds.has('any'), `${name}: nothing that it takes`);
    assert(kinds.has('bad'), `${name}: nothing that it refuses`);
  }
});

for (const [name, { parse, runs }] of Object.entries(PARSERS)) {
  test(`${name}: its corpus, and ${runs} inputs near to it`, async () => {
    const samples = corpus(name);
    for (const sample of samples) {
      const outcome = await outcomeOf(parse, sample.bytes);
      const [kind] = sample.name.split('-');
      const expected = { good: 'taken', bad: 'refused' }[kind ?? ''] ?? outcome;
      assert.equal(outcome, expected, `${name}/${sample.name}`);
    }
    await fc.assert(
      fc.asyncProperty(mutated(samples), async (bytes) => void (await outcomeOf(parse, bytes))),
      { numRuns: runs },
    );
  });
}

async function outcomeOf(parse: Parser, bytes: Uint8Array): Promise<'taken' | 'refused'> {
  try {
    await parse(bytes);
    return 'taken';
  } catch (error) {
    assert(isFault(error), `not a Fault: ${error instanceof Error ? error.stack : String(error)}`);
    assert(error.message.length < 70_000, 'a message without end');
    return 'refused';
  }
}
