/**
 * JSON-RPC 2.0 envelopes, by the examples of its specification.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, toProblem, type FaultCode } from '../../base/fault/index.ts';
import type { Json } from '../../base/json/index.ts';
import {
  parseRequest,
  parseResponse,
  printError,
  printRequest,
  printResult,
  salvageId,
} from './index.ts';

const MALFORMED = { code: 'REQUEST_MALFORMED' };
const HOST = { code: 'HOST_MALFORMED' };

test('JSON-RPC 2.0, section 7: requests with positional and named parameters', () => {
  const positional = { jsonrpc: '2.0', method: 'subtract', params: [42, 23], id: 1 };
  assert.deepEqual(parseRequest(positional), { id: 1, method: 'subtract', params: [42, 23] });
  const params = { subtrahend: 23, minuend: 42 };
  const named = { jsonrpc: '2.0', method: 'subtract', params, id: 3 };
  assert.deepEqual(parseRequest(named), { id: 3, method: 'subtract', params });
});

test('section 7: a notification has no id; absent parameters are none', () => {
  const update = { jsonrpc: '2.0', method: 'update', params: [1, 2, 3, 4, 5] };
  assert.deepEqual(parseRequest(update), { method: 'update', params: [1, 2, 3, 4, 5] });
  assert.deepEqual(parseRequest({ jsonrpc: '2.0', method: 'foobar' }), {
    method: 'foobar',
    params: {},
  });
});

test('section 4: an id is a text, a number or null; null is not the absence of one', () => {
  for (const id of ['', 'a', 0, -1, 1.5, 1e300, null]) {
    assert.deepEqual(parseRequest({ jsonrpc: '2.0', method: 'a', id }), {
      id,
      method: 'a',
      params: {},
    });
  }
  for (const id of [true, [], {}, [1]]) {
    assert.throws(() => parseRequest({ jsonrpc: '2.0', method: 'a', id }), MALFORMED);
  }
});

test('section 7: what is no request is refused', () => {
  const bad: readonly Json[] = [
    { jsonrpc: '2.0', method: 1, params: 'bar' },
    { jsonrpc: '2.0', method: 'a', params: 'bar' },
    { jsonrpc: '2.0', method: 'a', params: null },
    { jsonrpc: '2.0', method: 'a', params: 1 },
    { jsonrpc: '1.0', method: 'a' },
    { jsonrpc: 2, method: 'a' },
    { method: 'a' },
    { jsonrpc: '2.0' },
    { jsonrpc: '2.0', method: 'a', toll: 1 },
    { jsonrpc: '2.0', method: 'a', toll: null },
    {},
    [],
    1,
    'a',
    null,
    true,
  ];
  for (const value of bad) assert.throws(() => parseRequest(value), MALFORMED);
});

test('the member `toll` carries a credential; other members are left out', () => {
  const request = { jsonrpc: '2.0', method: 'quotes', params: {}, id: 1, toll: 'b1.x', other: 1 };
  assert.deepEqual(parseRequest(request), { id: 1, method: 'quotes', params: {}, toll: 'b1.x' });
});

test('a request reads back', () => {
  const requests = [
    { id: 1, method: 'a', params: {} },
    { id: null, method: 'a', params: [1], toll: 'b1.x' },
    { method: 'a', params: { b: 2 } },
  ];
  for (const request of requests) {
    assert.deepEqual(parseRequest(printRequest(request)), request);
  }
});

test('a request that does not parse is answered under its own id if it has a usable one', () => {
  assert.equal(salvageId({ jsonrpc: '2.0', method: 1, id: 7 }), 7);
  assert.equal(salvageId({ id: 'x' }), 'x');
  for (const value of [null, 1, 'a', [], [{ id: 1 }], {}, { id: null }, { id: {} }, { id: true }]) {
    assert.equal(salvageId(value), null);
  }
});

test('section 5.1: the codes of JSON-RPC, and one for all other faults', () => {
  const table: readonly (readonly [FaultCode, number])[] = [
    ['JSON_MALFORMED', -32700],
    ['REQUEST_MALFORMED', -32600],
    ['REQUEST_UNKNOWN', -32601],
    ['SERVICE_INPUT', -32602],
    ['HOST_BROKEN', -32603],
    ['CODE_INVALID', -32000],
    ['SESSION_UNPAID', -32000],
  ];
  for (const [code, number] of table) {
    const fault = new Fault(code, { hint: 'x' });
    const { title } = fault.row;
    const error = { code: number, message: title, data: toProblem(fault) };
    assert.deepEqual(printError('a', fault), { jsonrpc: '2.0', id: 'a', error });
  }
});

test('a result reads back, with what it cost', () => {
  assert.deepEqual(parseResponse(printResult(1, [1]), 1), { result: [1] });
  const toll = { charged_msat: '1' };
  assert.deepEqual(parseResponse(printResult('a', null, toll), 'a'), { result: null, toll });
});

test('a reported fault is thrown, under our id or under null', () => {
  const fault = new Fault('SERVICE_QUANTITY', { min: 1, max: 5 });
  const thrown = { code: 'SERVICE_QUANTITY', facts: { min: 1, max: 5 } };
  assert.throws(() => parseResponse(printError(1, fault), 1), thrown);
  assert.throws(() => parseResponse(printError(null, fault), 1), thrown);
});

test('what is no response to our request is a malformed host', () => {
  const error = { code: -32601, message: 'Method not found' };
  const bad: readonly Json[] = [
    null,
    [],
    'text',
    {},
    { jsonrpc: '2.0', id: 1 },
    { jsonrpc: '2.0', id: 2, result: 1 },
    { jsonrpc: '2.0', id: '1', result: 1 },
    { jsonrpc: '2.0', id: null, result: 1 },
    { jsonrpc: '2.0', result: 1 },
    { jsonrpc: '1.0', id: 1, result: 1 },
    { jsonrpc: '2.0', id: 1, error: null },
    { jsonrpc: '2.0', id: 1, error: 'x' },
    { jsonrpc: '2.0', id: 1, error },
    { jsonrpc: '2.0', id: 1, error: { ...error, data: { code: 'NO_SUCH' } } },
    printError(2, new Fault('SERVICE_FAILED')),
  ];
  for (const value of bad) assert.throws(() => parseResponse(value, 1), HOST);
});
