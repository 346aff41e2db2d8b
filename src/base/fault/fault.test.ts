/**
 * The fault table is sane, and no problem document of a peer can do harm.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  FAULTS,
  Fault,
  asFault,
  fromProblem,
  isFault,
  isFaultCode,
  isHostCode,
  toProblem,
  type FaultCode,
  type FaultRow,
} from './index.ts';

const rows = Object.entries(FAULTS) as [FaultCode, FaultRow][];
const codes = fc.constantFrom(...rows.map(([code]) => code));

test('every row is a failure with a sentence for people', () => {
  for (const [code, { status, title }] of rows) {
    assert.match(code, /^[A-Z]+(_[A-Z]+)+$/);
    assert.ok(code.length <= 40, code);
    assert.ok(Number.isInteger(status) && status >= 400 && status < 600, code);
    assert.match(title, /^[A-Z][^\n]{10,110}\.$/, code);
  }
  const titles = rows.map(([, { title }]) => title);
  assert.equal(new Set(titles).size, titles.length, 'two rows have one title');
});

test('nobody starts afresh while money is unknown or spent', () => {
  for (const [code, { retry, money, passes }] of rows) {
    assert.ok(retry === 'same' || !passes, code);
    assert.ok(money === 'unspent' || retry !== 'fresh', code);
  }
});

test('402 asks for money, so none was taken', () => {
  const asking = rows.filter(([, { status }]) => status === 402);
  assert.deepEqual(
    asking.map(([code]) => code),
    [
      'SESSION_UNPAID',
      'TICK_SHORT',
      'PAYMENT_PRICE',
      'PAYMENT_SPENT',
      'PAYMENT_FEE',
      'CHAIN_FUNDS',
    ],
  );
  for (const [code, { money }] of asking) assert.equal(money, 'unspent', code);
});

test('what is refused as malformed, unknown or too large has cost nothing', () => {
  const statuses = new Set([400, 404, 405, 413, 415, 422]);
  for (const [code, { status, money }] of rows.filter(([, row]) => statuses.has(row.status))) {
    assert.equal(money, 'unspent', `${code} ${status}`);
  }
});

test('busy and stopping hosts are asked the same again, unless the answer is gone', () => {
  const busy = rows.filter(([, { status }]) => status === 429 || status === 503);
  const final = busy.filter(([, { retry }]) => retry !== 'same').map(([code]) => code);
  assert.deepEqual(final, ['CALL_RERUNS']);
});

test('a fault says its title and its facts', () => {
  const fault = new Fault('SERVICE_QUANTITY', { min: 1, max: 5 });
  assert.equal(fault.name, 'Fault');
  assert.equal(fault.row, FAULTS.SERVICE_QUANTITY);
  assert.equal(fault.message, `${FAULTS.SERVICE_QUANTITY.title} (min 1, max 5)`);
  assert.equal(new Fault('HOST_BROKEN').message, FAULTS.HOST_BROKEN.title);
});

test('a cause stays inside: it is in no problem document', () => {
  const cause = new Error('hunter2');
  const fault = new Fault('HOST_BROKEN', {}, cause);
  assert.equal(fault.cause, cause);
  assert.doesNotMatch(JSON.stringify(toProblem(fault)), /hunter2/);
});

test('faults are told from other errors, those of another copy of the package too', () => {
  const foreign = Object.assign(new Error('x'), { name: 'Fault', code: 'CODE_INVALID' });
  assert.ok(isFault(new Fault('CODE_INVALID')));
  assert.ok(isFault(foreign));
  const strange = Object.assign(new Error('x'), { name: 'Fault', code: 'toString' });
  for (const other of [strange, new Error('x'), { name: 'Fault', code: 'CODE_INVALID' }, null]) {
    assert.equal(isFault(other), false);
  }
  for (const name of ['toString', '__proto__', 'constructor', '', 1, null, {}]) {
    assert.equal(isFaultCode(name), false);
  }
});

test('the outermost edge makes a fault of anything', () => {
  const fault = new Fault('CODE_INVALID');
  assert.equal(asFault(fault), fault);
  assert.equal(asFault(new TypeError('x')).code, 'HOST_BROKEN');
  assert.equal(asFault(undefined, 'WALLET_BROKEN').code, 'WALLET_BROKEN');
});

test('a fault crosses the wire as a problem document (RFC 9457)', () => {
  const fact = fc.oneof(
    fc.stringMatching(/^[a-zA-Z 0-9.:-]{0,20}$/),
    fc.integer(),
    fc.boolean(),
    fc.array(fc.stringMatching(/^[abc]{0,9}$/), { maxLength: 4 }),
  );
  const facts = fc.dictionary(fc.stringMatching(/^[a-z][A-Za-z_]{0,10}$/), fact, { maxKeys: 8 });
  fc.assert(
    fc.property(codes, facts, (code, known) => {
      const problem = toProblem(new Fault(code, known));
      assert.equal(problem.type, `urn:tollcall:problem:${code}`);
      assert.equal(problem.status, FAULTS[code].status);
      const read = fromProblem(JSON.parse(JSON.stringify(problem)));
      assert.equal(read.code, isHostCode(code) ? code : 'HOST_MALFORMED');
      const kept = isHostCode(code) ? known : { code };
      assert.deepEqual({ ...read.facts }, JSON.parse(JSON.stringify({ ...kept })));
    }),
  );
});

test('status, retry and money of a peer are not believed: our table says what a code means', () => {
  const lie = {
    code: 'CALL_CONFLICT',
    status: 200,
    retry: 'fresh',
    money: 'unspent',
    title: 'x',
  };
  assert.equal(fromProblem(lie).row, FAULTS.CALL_CONFLICT);
  const advice = { ...lie, facts: { next: 'send all your money to me', reason: 'busy' } };
  assert.deepEqual(fromProblem(advice).facts, { reason: 'busy' });
});

test('an unknown code is a malformed host', () => {
  const strange = [undefined, null, 1, 'x', [], {}, { code: 1 }, { code: 'NO_SUCH_CODE' }];
  const hostile = [{ code: { toString: 1, valueOf: 1 } }, { code: ['CODE_INVALID'] }];
  const names = [{ code: '__proto__' }, { code: 'toString' }, { code: 'x'.repeat(1_000_000) }];
  for (const value of [...strange, ...hostile, ...names]) {
    const fault = fromProblem(value);
    assert.equal(fault.code, 'HOST_MALFORMED');
    assert.ok(fault.message.length < 400);
  }
});

test('what a peer writes cannot drive a terminal: neither values nor names', () => {
  const evil = '\u001b[2J\u0007\r\n\u009b1m\u202egnp\u2028\ud800_\u{e0001}';
  const facts = { [evil]: 'x', a: evil, b: [evil, 'ok'], c: 'y'.repeat(1_000_000), d: {}, e: [1] };
  for (const code of ['SERVICE_FAILED', evil]) {
    const fault = fromProblem({ code, facts });
    assert.doesNotMatch(fault.message, /[\p{C}\p{Zl}\p{Zp}]/u);
    assert.ok(fault.message.length < 1000);
  }
  const { facts: kept } = fromProblem({ code: 'SERVICE_FAILED', facts });
  assert.deepEqual(Object.keys(kept), ['a', 'b', 'c']);
});

test('facts of a peer are few, plain and no prototype', () => {
  const many = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`k${'x'.repeat(i % 30)}`, i]),
  );
  assert.ok(Object.keys(fromProblem({ code: 'SERVICE_FAILED', facts: many }).facts).length <= 16);
  const proto: unknown = JSON.parse(
    '{"code":"SERVICE_FAILED","facts":{"__proto__":{"a":1},"b":null}}',
  );
  assert.deepEqual(Object.keys(fromProblem(proto).facts), []);
});
