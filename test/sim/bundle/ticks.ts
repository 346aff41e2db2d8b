/**
 * Markets where calls are paid with ticks: payers use lanes up, crash and go on; hosts crash, are
 * lazy, have wallets that stall, or lie about where lanes stand. Some services have effect once.
 * @module
 */
import assert from 'node:assert/strict';
import { isFault, type Fault } from '../../../src/base/fault/index.ts';
import { toHex, utf8 } from '../../../src/base/bytes/index.ts';
import { sha256Hex } from '../../../src/base/hash/index.ts';
import { jsonObject, parseJson, type Json, type JsonObject } from '../../../src/base/json/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import type { BooksOptions } from '../../../src/books/index.ts';
import type { HostParts, HostResponse, ServiceOptions } from '../../../src/host/index.ts';
import type { Sheet } from '../../../src/pay/ledger/index.ts';
import type { Link, Payer, PayerSession, PayerStream } from '../../../src/payer/index.ts';
import type { NetRequest } from '../../../src/port/net/index.ts';
import type { Wallet } from '../../../src/port/wallet/index.ts';
import { isTick, parseTick } from '../../../src/wire/toll/index.ts';
import type { Life, World } from '../world.ts';
import {
  HOST_URL,
  Market,
  PRICE_MSAT,
  openDisks,
  type MarketOptions,
  type Value,
} from './market.ts';
import { badWallet, withMethods } from './wallets.ts';

/** Runs a market until every payer has used its lanes up, or has got the rest of them back. */
export async function runTicks(world: World, options: MarketOptions): Promise<unknown> {
  return new TickMarket(world, options, await openDisks(options)).run();
}

const LANES = 2;
/** What a lazy host may lose in one crash. */
const LAZY_CALLS = 2;
/** So often a payer tries to get on with a host that lies. */
const TRIES = 12;
/** So long a service takes now and then to find out what became of a call; nobody waits for it. */
const HANGS_MS = 60_000;

class TickMarket extends Market {
  readonly #lazy = this.world.seed % 4 === 1;
  readonly #refunds = this.world.seed % 4 === 2;
  readonly #lies = this.world.seed % 4 === 3;
  readonly #once = this.world.seed % 3 === 0;
  readonly #recovers = this.world.seed % 6 === 0;
  /** What the handlers of effect once have done, and how often, by lane and number. */
  readonly #done = new Map<string, { readonly value: number; readonly times: number }>();
  #begun = 0;
  #answered = 0;
  #failed = 0;
  /** What was sent under each number of each lane: it never means two things. */
  readonly #numbers = new Map<string, string>();
  /** The highest tick of each lane that a payer has shown. */
  readonly #shown = new Map<string, number>();

  get #units(): number {
    return this.options.callsPerBundle * this.options.bundles;
  }

  protected override hostParts(life: Life): Partial<HostParts & Pick<BooksOptions, 'limits'>> {
    const maxMsat = msat(PRICE_MSAT * BigInt(LAZY_CALLS));
    const lazy = { durability: { kind: 'lazy', maxMs: 50, maxMsat } } as const;
    const limits = { hotLanes: 2, answerBytes: 500, ...(this.#lazy ? lazy : {}) };
    if (!this.#refunds) return { limits };
    return { limits, wallet: badWallet(life.world as World, this.hostWallet) };
  }

  protected override async work(life: Life, input: Value, key: string): Promise<Value> {
    const { value } = await super.work(life, input, key);
    this.#done.set(key, { value, times: 1 + (this.#done.get(key)?.times ?? 0) });
    return { value };
  }

  protected override recover(life: Life): ServiceOptions<Value, Value>['recover'] {
    if (!this.#recovers) return undefined;
    return async ({ session, n }) => {
      await life.sleep(life.random.below(8) === 0 ? HANGS_MS : life.random.below(300));
      const key = `${session} ${n}`;
      const { value } = this.#done.get(key) ?? {};
      if (value !== undefined) return { done: { value } };
      if (life.random.below(4) === 0) return 'unknown';
      // It is begun again.
      this.begun.delete(key);
      return 'not-done';
    };
  }

  /** Its payments take their time. */
  protected override payerWallet(index: number): Wallet {
    const wallet = super.payerWallet(index);
    const { clock, random } = this.world;
    const pay: Wallet['pay'] = async (request) => {
      await clock.sleep(random.below(20_000));
      return wallet.pay(request);
    };
    return withMethods(wallet, { pay });
  }

  protected override async answer(
    handle: () => Promise<HostResponse>,
    request: NetRequest,
  ): Promise<HostResponse> {
    this.#see(request);
    const honest = await handle();
    return this.#lies && this.world.random.below(6) === 0 ? this.#lie(honest, request) : honest;
  }

  protected override async program(payer: Payer, index: number, life: Life): Promise<void> {
    const link = await untilDone(() => payer.connect(HOST_URL));
    for (let tries = 0; tries < TRIES || !this.#lies; tries++) {
      try {
        const stream = await this.#open({ payer, link, index, life });
        if (stream === undefined) break;
        await this.#use(stream);
        await stream.close();
      } catch (error) {
        if (!this.#lies || !isFault(error)) throw error;
        await life.sleep(1_000);
      }
    }
    if (!this.#refunds) return;
    for (const session of await payer.sessions(link, { ticks: true })) {
      await this.#refund(session);
      const { refundableMsat } = await untilDone(() => session.status());
      assert.equal(refundableMsat, 0n, 'all that can come back has come back');
    }
  }

  protected override async atRest(): Promise<boolean> {
    return (await this.hostDisk.openRefunds()).length === 0;
  }

  protected override async checkBooks(sheet: Sheet): Promise<void> {
    await super.checkBooks(sheet);
    if (this.#once) {
      for (const [key, { times }] of this.#done) assert.equal(times, 1, `${key} was done twice`);
    }
    const lostCalls = this.#lazy && !this.#once ? LAZY_CALLS * (1 + this.hostNode.crashes) : 0;
    const served = sheet.servedMsat + PRICE_MSAT * BigInt(lostCalls);
    assert(served >= PRICE_MSAT * BigInt(this.#answered) || this.#lies, 'no charge is lost');
    assert(sheet.servedMsat <= PRICE_MSAT * BigInt(this.#begun), 'one charge for each call');
    const crashes = this.payerNodes.reduce((sum, node) => sum + node.crashes, 0);
    const shown = [...this.#shown.values()].reduce((sum, ticks) => sum + ticks, 0);
    // A process that takes a lane over may believe a window of calls in each that ended late.
    const late = 64 * LANES * this.payerNodes.length * (TRIES + crashes);
    assert(shown <= this.#begun + late, 'nothing is revealed for nothing');
    const most = this.#units * this.payerNodes.length;
    assert(sheet.servedMsat <= PRICE_MSAT * BigInt(most), 'no more than was paid');
  }

  protected override async checkTotals(): Promise<void> {
    if (this.#lies) return;
    const sheet = await this.hostDisk.sheet();
    const bought = PRICE_MSAT * BigInt(this.#units * this.payerNodes.length);
    const { servedMsat, refundedMsat, refundFeesMsat, creditMsat } = sheet;
    assert.equal(sheet.receivedMsat, bought, 'each purchase was paid once');
    assert.equal(servedMsat + refundedMsat + refundFeesMsat + creditMsat, bought);
    // A refund that fails after its payer has gone is credit again.
    if (!this.#refunds) assert.equal(servedMsat, bought, 'every unit can be spent');
    const open = this.#begun - this.#answered - this.#failed;
    const charged = Number(servedMsat / PRICE_MSAT);
    assert(charged <= this.#answered + open, 'a call that failed is not charged');
    if (!this.#lazy || this.#once)
      assert(charged >= this.#answered, 'what was answered was charged');
  }

  /** The lanes, bought or found again; undefined when nothing is left of them. */
  async #open(of: {
    readonly payer: Payer;
    readonly link: Link;
    readonly index: number;
    readonly life: Life;
  }): Promise<PayerStream | undefined> {
    const units = this.#units;
    const order = { service: this.#once ? 'work-once' : 'work-none', units, lanes: LANES };
    const maxTotalMsat = msat(PRICE_MSAT * BigInt(units));
    const purchaseId = `${of.index}a`.padStart(32, '0');
    for (;;) {
      try {
        return await of.payer.stream(of.link, { ...order, maxTotalMsat, purchaseId });
      } catch (error) {
        if (!isFault(error)) throw error;
        if (error.code === 'LANE_EXHAUSTED') return undefined;
        if (error.row.retry !== 'same') throw error;
        // A process that died has the lanes until its lease ends.
        await of.life.sleep(3_000);
      }
    }
  }

  async #use(stream: PayerStream): Promise<void> {
    const { callsAtOnce } = this.options;
    let over = false;
    const caller = async (): Promise<void> => {
      while (!over && stream.unitsLeft > 0) over = (await this.#call(stream)) || over;
    };
    const refund = async (): Promise<void> => {
      const [session] = stream.sessions;
      // Calls go on while the lanes are closed.
      if (this.#refunds && session) await this.#refund(session);
    };
    const some = Array.from({ length: callsAtOnce }, caller);
    if (this.#refunds) await Promise.race(some);
    await Promise.all([...some, refund()]);
  }

  /** True when the stream serves no more. */
  async #call(stream: PayerStream): Promise<boolean> {
    const value = this.#begun++;
    try {
      const { result } = await stream.call({ value }, { deadlineMs: 30_000 });
      assert(this.#lies || jsonObject(result)['value'] === value * 2);
      this.#answered++;
      // A part is left for the refund.
      return this.#refunds && this.world.random.below(4) === 0;
    } catch (error) {
      if (!isFault(error)) throw error;
      if (FAILED.has(error.code)) this.#failed++;
      if (FAILED.has(error.code) || UNKNOWN.has(error.code)) return false;
      if (error.code === 'LANE_EXHAUSTED') this.#failed++;
      if (error.code === 'LANE_EXHAUSTED' || error.code === 'LANE_CLOSED') return true;
      if (this.#lies) return true;
      throw error;
    }
  }

  async #refund(session: PayerSession): Promise<void> {
    for (let i = 0; ; i++) {
      try {
        await untilDone(() => session.refund({ refundId: `${session.session}-${i}` }));
        return;
      } catch (error) {
        if (!isFault(error)) throw error;
        if (error.code === 'REFUND_DUST') return;
        assert(['REFUND_FAILED', 'REFUND_EXCEEDS', 'REFUND_EXPIRED'].includes(error.code));
      }
    }
  }

  /** What a payer has sent. */
  #see({ headers, body }: NetRequest): void {
    const text = (headers['authorization'] ?? '').replace('Toll ', '');
    if (!isTick(text)) return;
    const { lane, n, index } = parseTick(text);
    const id = toHex(lane);
    const asked = sha256Hex(body ?? new Uint8Array(0));
    const before = this.#numbers.get(`${id} ${n}`);
    assert(before === undefined || before === asked, 'a number means one request');
    this.#numbers.set(`${id} ${n}`, asked);
    this.#shown.set(id, Math.max(index, this.#shown.get(id) ?? 0));
  }

  #lie(honest: HostResponse, { url, body }: NetRequest): HostResponse {
    const { random } = this.world;
    if (new URL(url).pathname.startsWith('/call/')) {
      const lies: readonly (() => HostResponse)[] = [
        () => problem('TICK_SHORT', { n: 0, units: 1, credit: random.below(3) - 2 }),
        () => problem('TICK_STEPS', { index: random.below(9) }),
        () => problem('LANE_EXHAUSTED', {}),
        () => ({
          ...honest,
          headers: { 'toll-session': 'charged=999999, credit=0, calls-left=0' },
        }),
      ];
      return (lies[random.below(lies.length)] ?? assert.fail())();
    }
    if (!new TextDecoder().decode(body).includes('toll.session')) return honest;
    const answer = jsonObject(parseJson(honest.body));
    const result = answer['result'] as JsonObject | undefined;
    const lanes = result?.['lanes'] as readonly JsonObject[] | undefined;
    if (result === undefined || lanes === undefined) return honest;
    const told = LANE_LIES[random.below(LANE_LIES.length)] ?? assert.fail();
    const lied = { ...answer, result: { ...result, lanes: lanes.map(told) } };
    return { ...honest, body: utf8(JSON.stringify(lied)) };
  }
}

/** What a host may claim of a lane. */
const LANE_LIES: readonly ((lane: JsonObject) => JsonObject)[] = [
  (lane) => ({ ...lane, spent: Number(lane['spent']) + 1 }),
  (lane) => ({ ...lane, spent: lane['length'] ?? 0, index: lane['length'] ?? 0 }),
  (lane) => ({ ...lane, index: Number(lane['index']) + 1 }),
  (lane) => ({ ...lane, spent: lane['index'] ?? 0 }),
  (lane) => ({ ...lane, tip: 'AAAA' }),
  (lane) => ({ ...lane, tip: Buffer.alloc(32, 9).toString('base64url') }),
  (lane) => ({ ...lane, closed: true }),
  (lane) => ({ ...lane, spent: 0, index: 0 }),
  (lane) => ({ ...lane, spent: -1 }),
  (lane) => ({ ...lane, done: 2 ** 32 - 1 }),
  (lane) => ({ ...lane, length: Number(lane['length']) * 2 }),
  () => ({}),
];

const FAILED: ReadonlySet<Fault['code']> = new Set([
  'SERVICE_FAILED',
  'CALL_FAILED',
  'CALL_OUTCOME_UNKNOWN',
] as const);
const UNKNOWN: ReadonlySet<Fault['code']> = new Set([
  'CALL_UNANSWERED',
  'HOST_UNREACHABLE',
  'CALL_RERUNS',
] as const);

function problem(code: string, facts: Record<string, Json>): HostResponse {
  const body = utf8(JSON.stringify({ code, facts }));
  return { status: 402, headers: { 'content-type': 'application/problem+json' }, body };
}

async function untilDone<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isFault(error) || error.row.retry !== 'same') throw error;
    }
  }
}
