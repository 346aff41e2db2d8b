/**
 * A payer is killed in the middle of its stream and started again, until everything is used up: no
 * number is used twice, and every unit buys one call.
 * @module
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { toHex } from '../../src/base/bytes/index.ts';
import { sha256Hex } from '../../src/base/hash/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { systemRandom } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import { openBooks } from '../../src/books/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';
import { openHost, service, type Host } from '../../src/host/index.ts';
import { openHostStore } from '../../src/port/store/index.ts';
import { openFakeNetwork } from '../../src/port/wallet/index.ts';
import { isTick, parseTick } from '../../src/wire/toll/index.ts';
import { fixtureHostKeys } from '../fixtures/keys.ts';

const KILLS = 6;
const UNITS = 8_000;
const UNIT_MSAT = msat(3);

/** What a payer has sent under each number of each lane, and what it was refused. */
class Witness {
  readonly #asked = new Map<string, string>();
  readonly refusals = new Map<string, number>();
  reused = 0;

  watch(host: Host): Host {
    return {
      ...host,
      handle: async (request) => {
        const text = (request.header('authorization') ?? '').replace('Toll ', '');
        if (isTick(text)) {
          const { lane, n } = parseTick(text);
          const asked = sha256Hex(request.body);
          if ((this.#asked.get(`${toHex(lane)} ${n}`) ?? asked) !== asked) this.reused++;
          this.#asked.set(`${toHex(lane)} ${n}`, asked);
        }
        const answer = await host.handle(request);
        const code = answer.status === 200 ? undefined : codeOf(answer.body);
        if (code !== undefined) this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
        return answer;
      },
    };
  }
}

function codeOf(body: Uint8Array): string {
  return (JSON.parse(Buffer.from(body).toString()) as { code: string }).code;
}

test(`${KILLS} kills of a payer: no number is used twice, no unit is lost`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-payer-kill-'));
  mkdirSync(join(dir, 'payer'));
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const network = openFakeNetwork({ file: join(dir, 'network.db'), clock, random });
  network.wallet('payer').fund(msat(1_000_000_000n));
  const store = await openHostStore({ file: ':memory:', thread: false });
  const limits = { budgetRuns: 100_000 };
  const books = await openBooks({ store, clock, log, limits });
  const value = z.strictObject({ value: z.number().int() });
  const work = service('work', {
    description: 'Fails on every seventh.',
    input: value,
    output: value,
    price: { kind: 'each', priceMsat: UNIT_MSAT },
    handler: async (input) => {
      await systemClock.sleep(systemRandom.below(4));
      if (input.value % 7 === 6) throw new Error('every seventh one fails');
      return input;
    },
  });
  const parts = { keys: await fixtureHostKeys(), wallet: network.wallet('host'), books };
  const host = await openHost({ ...parts, services: [work], clock, random, log });
  const witness = new Witness();
  const door = await openHttpDoor(witness.watch(host), { address: '127.0.0.1', port: 0 }, log);
  let kills = 0;
  try {
    for (let life = 0; ; life++) {
      const code = await live({ dir, url: door.url, kill: kills < KILLS });
      if (code === 0) break;
      if (code === undefined) kills++;
      else assert.equal(code, 3, 'the payer ends by itself only when it has used everything up');
      assert(life < 3 * KILLS, 'it comes to an end');
    }
    t.diagnostic(`refusals ${JSON.stringify([...witness.refusals])}`);
    assert.equal(kills, KILLS);
    assert.equal(witness.reused, 0, 'a number means one request');
    assert(!witness.refusals.has('CALL_CONFLICT'));
    const sheet = await books.sheet();
    assert.equal(sheet.servedMsat, UNIT_MSAT * BigInt(UNITS), 'every unit was spent');
    assert.equal(sheet.creditMsat, 0n);
    assert.deepEqual(await store.audit(), []);
  } finally {
    await door.close();
    await host.close();
    network.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

/** One life of the payer; its exit code, or undefined when it was killed. */
async function live(of: { dir: string; url: string; kill: boolean }): Promise<number | undefined> {
  const file = new URL('./payer-process.ts', import.meta.url);
  const args = [of.dir, of.url, `${UNITS}`, `${UNIT_MSAT}`];
  const child = fork(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  if (of.kill) {
    await Promise.race([once(child, 'message'), ended]);
    await Promise.race([systemClock.sleep(30 + systemRandom.below(100)), ended]);
    child.kill('SIGKILL');
  }
  const [code] = await ended;
  return code ?? undefined;
}
