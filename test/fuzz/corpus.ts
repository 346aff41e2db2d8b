/**
 * The corpus: small files that each parser must take (`good-...`), must refuse with a Fault
 * (`bad-...`), or may judge either way (`any-...`). What once broke a parser stays here.
 * @module
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';

/** A file of the corpus. */
export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const ROOT = join(import.meta.dirname, 'corpus');

/** The parsers that have a corpus. */
export function corpusNames(): string[] {
  return readdirSync(ROOT).toSorted();
}

/** The corpus of a parser. */
export function corpus(parser: string): Sample[] {
  const folder = join(ROOT, parser);
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) }));
}

/** Pieces that mean something to one parser or another. */
const PIECES = [
  '',
  '\u0000',
  '"',
  '\\',
  '\n',
  '\r\n',
  '=',
  ',',
  '__proto__',
  '-0',
  '1e400',
  '18446744073709551616',
  '\\ud800',
  '\ufeff',
  '[[[[',
  '\u202e',
].map((text) => new Uint8Array(Buffer.from(text)));

/** Inputs near the samples: bytes changed, parts cut out, doubled, or taken from another one. */
export function mutated(samples: readonly Sample[]): fc.Arbitrary<Uint8Array> {
  const sample = fc.constantFrom(...samples.map(({ bytes }) => bytes));
  const put = fc.oneof(fc.constantFrom(...PIECES), fc.uint8Array({ maxLength: 4 }), sample);
  const edit = fc.record({ from: fc.nat(), length: fc.nat({ max: 12 }), put, cut: fc.nat() });
  return fc.tuple(sample, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([start, edits]) => {
    let bytes = start;
    for (const { from, length, put: piece, cut } of edits) {
      const at = from % (bytes.length + 1);
      const end = Math.min(bytes.length, at + length);
      const taken = piece.length > 16 ? piece.subarray(cut % piece.length) : piece;
      bytes = Buffer.concat([bytes.subarray(0, at), taken.subarray(0, 64), bytes.subarray(end)]);
    }
    return new Uint8Array(bytes);
  });
}
