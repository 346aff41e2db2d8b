/**
 * The pure part of checking a call: the hash of its request and the MAC of its code, against one
 * bare SHA-256 of the same implementation.
 * @module
 */
import { sameSecret } from '../src/base/bytes/index.ts';
import { sha256Hex } from '../src/base/hash/index.ts';
import { CallCodes, requestHashHex } from '../src/pay/bundle/index.ts';
import { parseCall, printCall } from '../src/wire/toll/index.ts';
import { interleave, perCpuSecond, ratio, type Contender, type Row, type Size } from './harness.ts';

/** A bare hash is so quick that a turn needs many. */
const REPEAT = 20;

/** Measures and gives the rows. */
export async function benchCodes(size: Size): Promise<Row[]> {
  const key = new Uint8Array(32).fill(1);
  const [host, session] = ['ab'.repeat(32), 'cd'.repeat(16)];
  const codes = new CallCodes(key, host, session);
  const input = { value: 1 };
  const fields = { session, n: 7n, done: 5n, salt: new Uint8Array(16) };
  const text = printCall({ ...fields, code: codes.code(fields, requestHashHex('work', input)) });
  const credential = parseCall(text);
  const hash = requestHashHex('work', input);
  const block = new Uint8Array(32);
  const found = await interleave(
    [
      contender('one SHA-256 of 32 bytes', () => sha256Hex(block).length === 64),
      contender('the MAC of a code', () =>
        sameSecret(codes.code(credential, hash), credential.code),
      ),
      contender('credential, request hash and MAC', () => {
        const read = parseCall(text);
        return sameSecret(codes.code(read, requestHashHex('work', input)), read.code);
      }),
    ],
    { turns: size.turns, count: size.count * REPEAT },
  );
  const row = (name: string, of: string, aim: number): Row => {
    const value = 1 / ratio(found, [of, 'one SHA-256 of 32 bytes'], perCpuSecond);
    return { name, against: 'one bare SHA-256', value, aim, better: 'lower' };
  };
  return [
    row('verify the MAC of a code', 'the MAC of a code', 4),
    row('verify a call from its text', 'credential, request hash and MAC', 10),
  ];
}

function contender(name: string, work: () => boolean): Contender {
  return {
    name,
    turn: async (count) => {
      const cpu = process.cpuUsage();
      const startMs = performance.now();
      let good = 0;
      for (let i = 0; i < count; i++) if (work()) good++;
      const wallMs = performance.now() - startMs;
      if (good !== count) throw new Error('a code is wrong');
      const { user, system } = process.cpuUsage(cpu);
      return { count, wallMs, cpuMs: (user + system) / 1000 };
    },
  };
}
