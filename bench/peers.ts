/**
 * Paid calls per second beside what others sell calls with, and beside one real Lightning payment
 * for each call. The others are fetched when they are first measured.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { msat } from '../src/base/money/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { systemClock } from '../src/base/time/index.ts';
import { openFakeNetwork } from '../src/port/wallet/index.ts';
import { openLdkWorld, usable } from '../test/contract/ldk-world.ts';
import {
  interleave,
  perCpuSecond,
  perSecond,
  ratio,
  type Contender,
  type Row,
  type Size,
} from './harness.ts';
import { Load, sameLane, type Lane } from './load.ts';
import { startProcess, startServer, type Measured } from './process.ts';
import { contender, openShopper, request } from './shopper.ts';

const IN_FLIGHT = 64;
const OURS = 'a tick, durable before its answer';
const DIRECTORY = new URL('./peers/', import.meta.url).pathname;
const PAYMENTS = 100;

/** A peer, and how many times fewer calls than ours it makes in a turn, so that turns are short. */
interface Peer {
  readonly name: string;
  readonly args: readonly string[];
  readonly fewer: number;
  readonly aim: number;
}

/** Measures and gives the rows. */
export async function benchPeers(dir: string, size: Size): Promise<Row[]> {
  const npm = ['ci', '--prefix', DIRECTORY, '--ignore-scripts', '--no-audit', '--no-fund'];
  if (spawnSync('npm', npm, { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) {
    process.stdout.write('  the peers cannot be fetched: their rows are left out\n');
    return [];
  }
  const closing: (() => unknown)[] = [];
  const add = async (name: string, server: Measured, lanes: Lane[]): Promise<Contender> => {
    closing.push(() => server.stop());
    const load = await Load.open(server.url, lanes, IN_FLIGHT);
    closing.push(() => load.close());
    return contender(name, server, load);
  };
  try {
    const own = await startServer('paid', dir);
    const shopper = await openShopper(dir, own.url);
    closing.push(() => shopper.close());
    const contenders = [await add(OURS, own, await shopper.ticks('work', size, 8))];
    const peers = await peersOf(dir);
    for (const { name, args, fewer } of peers) {
      const server = await startProcess(...args);
      const peer = await add(name, server, [sameLane(request('work', server.headers))]);
      contenders.push({ name, turn: (count) => peer.turn(Math.ceil(count / fewer)) });
    }
    const found = await interleave(contenders, size);
    const rows = peers.flatMap(({ name, aim }): Row[] => {
      const row = (unit: string, value: number): Row => {
        return { name: `paid calls per ${unit}`, against: name, value, aim, better: 'higher' };
      };
      return [
        row('second', ratio(found, [OURS, name], perSecond)),
        row('host CPU-second', ratio(found, [OURS, name], perCpuSecond)),
      ];
    });
    return [...rows, await benchLightning(found.get(OURS)?.perSecond ?? Number.NaN)];
  } finally {
    for (const close of closing) await close();
  }
}

async function peersOf(dir: string): Promise<Peer[]> {
  const file = (name: string): string => join(DIRECTORY, name);
  const { preimage, invoice } = await paidInvoice(dir);
  const boltwall = [file('boltwall.mjs'), preimage, invoice];
  return [
    { name: '@x402/hono, facilitator in process', args: [file('x402.mjs')], fewer: 8, aim: 7 },
    {
      name: '@x402/hono, facilitator by HTTP',
      args: [file('x402.mjs'), 'http'],
      fewer: 40,
      aim: 30,
    },
    { name: 'boltwall, LND stubbed', args: boltwall, fewer: 30, aim: 25 },
    { name: 'L402 by hand, macaroon on express', args: [file('l402.mjs')], fewer: 8, aim: 7 },
  ];
}

/** boltwall wants a real invoice, and the preimage with which it was paid. */
async function paidInvoice(dir: string): Promise<{ preimage: string; invoice: string }> {
  const [clock, random] = [systemClock, systemRandom];
  const network = openFakeNetwork({ file: join(dir, 'invoice.db'), clock, random });
  const [payee, payer] = [network.wallet('payee'), network.wallet('payer')];
  payer.fund(msat(1_000_000n));
  const amountMsat = msat(1000n);
  const { invoice } = await payee.createInvoice({
    amountMsat,
    description: '',
    expirySeconds: 600,
  });
  const paid = await payer.pay({ invoice, maxFeeMsat: msat(0n), timeoutMs: 10_000 });
  if (paid.state !== 'paid') throw new Error('the invoice was not paid');
  return { preimage: paid.preimage, invoice };
}

/** One payment for each call, one after the other, over a channel of two embedded nodes. */
async function benchLightning(ticksPerSecond: number): Promise<Row> {
  const world = await openLdkWorld();
  try {
    const [payer, payee] = [await world.open('payer'), await world.open('payee')];
    await world.channel(payer, payee);
    await usable(payer);
    let startMs = 0;
    for (let i = -10; i < PAYMENTS; i++) {
      if (i === 0) startMs = performance.now();
      const asked = { amountMsat: msat(1000n), description: '', expirySeconds: 600 };
      const { invoice } = await payee.createInvoice(asked);
      const paid = await payer.pay({ invoice, maxFeeMsat: msat(1000n), timeoutMs: 30_000 });
      if (paid.state !== 'paid') throw new Error(`a payment is ${paid.state}`);
    }
    const perSecondOfPayments = PAYMENTS / ((performance.now() - startMs) / 1000);
    process.stdout.write(`  Lightning payments: ${perSecondOfPayments.toFixed(1)} per second\n`);
    const value = ticksPerSecond / perSecondOfPayments;
    const against = 'one Lightning payment for each call';
    return { name: 'paid calls per second', against, value, aim: 1000, better: 'higher' };
  } finally {
    await world.close();
  }
}
