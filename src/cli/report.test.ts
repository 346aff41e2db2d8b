/**
 * What the CLI shows of a host's values.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { jsonText } from './report.ts';

test('a value of a host moves no cursor and turns no text around; it stays the same value', () => {
  const value = {
    a: '\u001B[2J\u009B31m\u202Etxt\u2028\u200B',
    b: 'Zürich 日本 😀',
    c: ['\u{E0041}'],
  };
  const text = jsonText(value);
  assert.match(text, /^[\p{L}\p{N}\p{P}\p{S} ]+$/u);
  assert.equal(stripVTControlCharacters(text), text);
  assert.match(text, /Zürich 日本 😀/);
  assert.deepEqual(JSON.parse(text), value);
  assert.equal(jsonText({ amountMsat: 5n }), '{"amountMsat":"5"}');
});
