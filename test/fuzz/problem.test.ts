/**
 * Fuzz: problem documents of peers.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FAULTS, Fault, fromProblem, toProblem } from '../../src/base/fault/index.ts';
import type { JsonObject } from '../../src/base/json/index.ts';
import { spoiled, values } from './hostile.ts';

const PROBLEM = {
  ...toProblem(new Fault('SERVICE_INPUT', { problems: ['x'], n: 1 })),
} as JsonObject;
const codes = fc.constantFrom(...Object.keys(FAULTS));

test('problem documents: always a Fault, always printable', () => {
  const facts = fc
    .tuple(codes, values(['problems']))
    .map(([code, some]) => ({ ...PROBLEM, code, facts: some }));
  const anything = fc.oneof(values(['code', 'facts']), spoiled(PROBLEM), facts, fc.anything());
  fc.assert(
    fc.property(anything, (value) => {
      const fault = fromProblem(value);
      assert.ok(fault instanceof Fault);
      assert.doesNotMatch(fault.message, /[\p{C}\p{Zl}\p{Zp}]/u);
      assert.ok(fault.message.length < 70_000);
      assert.deepEqual(fromProblem(JSON.parse(JSON.stringify(toProblem(fault)))).code, fault.code);
    }),
    { numRuns: 2000 },
  );
});
