/**
 * What operators need is logged; a secret cannot be.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toBase64, toBase64url, toHex, utf8 } from '../bytes/index.ts';
import { Fault } from '../fault/index.ts';
import { openLog, silentLog, type Log, type LogFields } from './index.ts';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly error?: {
    readonly name: string;
    readonly code?: string;
    readonly at: readonly string[];
  };
  readonly [name: string]: unknown;
}

/** What a log writes while `use` runs. */
function written(use: (log: Log) => void): string {
  let lines = '';
  use(openLog('debug', (line) => (lines += line)));
  return lines;
}

function line(fields: object, error?: unknown): Line {
  return JSON.parse(written((log) => log.warn('event', fields, error))) as Line;
}

test('an event is one JSON line with its fields', () => {
  const hash = 'ab'.repeat(32);
  const { time, ...rest } = line({
    service: 'quotes',
    n: 3n,
    paymentHash: hash,
    count: 2,
    paid: true,
  });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(rest, {
    level: 40,
    service: 'quotes',
    n: '3',
    paymentHash: hash,
    count: 2,
    paid: true,
    msg: 'event',
  });
});

test('the level decides; the silent log writes nothing', () => {
  let lines = 0;
  const log = openLog('warn', () => (lines += 1));
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  assert.equal(lines, 2);
  for (const level of ['debug', 'info', 'warn', 'error'] as const) silentLog[level]('x');
  openLog('silent', () => assert.fail()).error('x');
});

test('a field outside the table is dropped and named', () => {
  const odd = {
    token: 'hunter2',
    secret: 1,
    authorization: 'x',
    path: '/a?token=1',
    constructor: 1,
  };
  const { dropped, ...rest } = line(odd);
  assert.deepEqual(dropped, ['token', 'secret', 'authorization', 'path', 'constructor']);
  assert.deepEqual(Object.keys(rest), ['level', 'time', 'msg']);
});

test('a value without the form of its field is not written', () => {
  const table: readonly LogFields[] = [
    { service: 'Quotes' },
    { service: 'a/b' },
    { session: 'ab'.repeat(15) },
    { paymentHash: 'AB'.repeat(32) },
    { n: '3' },
    { n: -1n },
    { n: 2n ** 64n },
    { code: 'hunter two' },
    { address: 'ab'.repeat(16) },
    { reason: 'x '.repeat(101) },
    { version: 'v1' },
    { count: Uint8Array.of(1, 2) as unknown as number },
    { reason: { toString: () => 'hunter2' } as unknown as string },
  ];
  for (const fields of table) {
    assert.deepEqual(Object.values(line(fields)).slice(2, -1), ['[not logged]'], inspect(fields));
  }
});

test('what operators need is written', () => {
  const fields = {
    reason: 'non-mandatory-script-verify-flag (witness program hash mismatch)',
    address: '::1',
    version: '1.10.0-rc.1',
    signal: 'SIGTERM',
    code: 'SERVICE_FAILED',
    method: 'toll.setup',
    nodeId: `02${'ab'.repeat(32)}`,
  };
  const { level, time, msg, ...rest } = line(fields);
  assert.ok(level === 40 && time !== undefined && msg === 'event');
  assert.deepEqual(rest, fields);
});

test('an error is written as name, code and places, not with its message', () => {
  const fault = new Fault('SERVICE_FAILED', { reason: 'hunter2' }, new TypeError('hunter3'));
  const { error } = line({}, fault);
  assert.equal(error?.name, 'Fault');
  assert.equal(error?.code, 'SERVICE_FAILED');
  assert.match(error?.at[0] ?? '', /^src\/base\/log\/log\.test\.ts:\d+:\d+$/);
  assert.doesNotMatch(
    written((log) => log.error('event', {}, fault)),
    /hunter/,
  );
  const system = Object.assign(new Error('x'), { code: 'ECONNRESET' });
  assert.equal(line({}, system).error?.code, 'ECONNRESET');
});

test('errors that are strange or cause one another do not break the log', () => {
  const circle = new Error('a');
  circle.cause = new Error('b', { cause: circle });
  const noStack = Object.assign(new Error('a'), { stack: 7 });
  const renamed = Object.assign(new Error('a'), { name: 'x y', message: 'changed since' });
  for (const error of [circle, noStack, renamed, 'text', 7, null, {}, Symbol('s')]) {
    assert.equal(line({}, error).msg, 'event');
  }
});

const secrets = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 64 }),
  fc.stringMatching(/^[A-Za-z0-9 !-]{24,64}$/).map((text) => utf8(text)),
);
const names = [
  'token',
  'preimage',
  'secret',
  'key',
  'authorization',
  'macaroon',
  'codeKey',
] as const;
const allowed = ['service', 'code', 'method', 'address', 'reason', 'version', 'wallet'] as const;
/** Fields of public ids are left out: there a secret of the same length looks like one. */
const others = ['n', 'count', 'status', 'signal', 'paid', 'port'] as const;

/** How a secret could look in a line; the last one only when it is a text. */
function forms(secret: Uint8Array): string[] {
  const text = Buffer.from(secret).toString('utf8');
  const plain = JSON.stringify(text).slice(1, -1);
  const upper = toHex(secret).toUpperCase();
  return [toHex(secret), upper, toBase64(secret), toBase64url(secret), plain];
}

function assertNothingOf(secret: Uint8Array, text: string): void {
  const tail = secret.subarray(0, 16);
  for (const form of [...forms(secret), ...forms(tail).slice(0, 2)]) {
    assert.ok(!text.includes(form), `${form} in ${text}`);
  }
}

test('a secret cannot be logged: under a name of its own, as bytes, inside an object', () => {
  fc.assert(
    fc.property(secrets, fc.constantFrom(...names, ...allowed), (secret, name) => {
      const shapes = [secret, Buffer.from(secret), { [name]: toHex(secret) }, [toHex(secret)]];
      for (const value of [...shapes, secret.buffer, new Map([[name, toHex(secret)]])]) {
        assertNothingOf(secret, JSON.stringify(line({ [name]: value })));
      }
      for (const form of forms(secret)) {
        const own = names.map((own) => [own, form]);
        assertNothingOf(secret, JSON.stringify(line(Object.fromEntries(own) as object)));
      }
    }),
  );
});

test('a secret cannot be logged: encoded, in a field of text, as a name or an event', () => {
  const sentence = fc.constantFrom(
    '',
    'refused: ',
    'token=',
    'Bearer ',
    'https://a.b/c?d=',
    '"',
    '(',
  );
  fc.assert(
    fc.property(
      secrets,
      sentence,
      fc.constantFrom(...allowed, ...others),
      (secret, before, name) => {
        for (const form of forms(secret).slice(0, 4)) {
          const text = `${before}${form}`;
          const fields = { [name]: text, [form]: 1, [text]: 1 } as LogFields;
          assertNothingOf(
            secret,
            written((log) => log.info('event', fields)),
          );
          assertNothingOf(
            secret,
            written((log) => log.info(text)),
          );
        }
        const number = BigInt(`0x${toHex(secret)}`);
        const line = written((log) => log.info('event', { n: number, amountMsat: number }));
        assert.ok(number < 2n ** 64n || !line.includes(number.toString()));
      },
    ),
  );
});

test('a secret cannot be logged: quoted by an error in any of its parts', () => {
  fc.assert(
    fc.property(secrets, (secret) => {
      for (const form of forms(secret)) {
        const quoting = [
          new Error(form),
          new Error(`bad token ${form}\n    at ${form} (src/${form}.ts:1:1)\n    at src/x.ts:1:1`),
          new Error('outer', { cause: new Error(form, { cause: form }) }),
          Object.assign(new Error('x'), { name: form, code: form, [form]: form }),
          new Fault('SERVICE_FAILED', { reason: form, [form]: 1 }, form),
          new AggregateError([new Error(form)], form),
          form,
        ];
        for (const error of quoting) assertNothingOf(secret, JSON.stringify(line({}, error)));
      }
      for (const form of forms(secret).slice(0, 4)) {
        const frames = [`at ${form} (file:///app/src/${form}.js:1:1)`, `at src/${form}:1:1`];
        const stack = ['Error: x', ...frames].join('\n    ');
        const forged = Object.assign(new Error('x'), { stack });
        assertNothingOf(secret, JSON.stringify(line({}, forged)));
      }
    }),
  );
});

function inspect(fields: LogFields): string {
  return Object.keys(fields).join();
}
