/**
 * Fuzz: JSON-RPC requests and responses.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Fault } from '../../src/base/fault/index.ts';
import {
  parseRequest,
  parseResponse,
  printError,
  printRequest,
  salvageId,
} from '../../src/wire/rpc/index.ts';
import { onlyFaults, spoiled, values } from './hostile.ts';

const REQUEST = { jsonrpc: '2.0', id: 1, method: 'quotes', params: { symbol: 'X' }, toll: 'b1.x' };
const RESULT = { jsonrpc: '2.0', id: 1, result: { price: 1 }, toll: {} };
const ERROR = printError(1, new Fault('SERVICE_INPUT', { problems: ['x'] }));
const NAMES = [
  'jsonrpc',
  'id',
  'method',
  'params',
  'toll',
  'result',
  'error',
  'data',
  'code',
  'facts',
];

test('requests: what parses prints as the same request', () => {
  fc.assert(
    fc.property(fc.oneof(values(NAMES), spoiled(REQUEST)), (value) => {
      const request = onlyFaults(() => parseRequest(value));
      if (request !== undefined) assert.deepEqual(parseRequest(printRequest(request)), request);
      const id = salvageId(value);
      assert.ok(id === null || typeof id === 'string' || typeof id === 'number');
    }),
    { numRuns: 2000 },
  );
});

test('responses, results as well as errors', () => {
  const errors = spoiled(ERROR['error'] as object as typeof ERROR).map((error) => ({
    ...ERROR,
    error,
  }));
  fc.assert(
    fc.property(fc.oneof(values(NAMES), spoiled(RESULT), spoiled(ERROR), errors), (value) => {
      onlyFaults(() => parseResponse(value, 1));
    }),
    { numRuns: 2000 },
  );
});
