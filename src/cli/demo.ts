/**
 * `tollcall demo`: a real sale from nothing. Two Lightning nodes, one invoice, four calls, and the
 * books balanced at the end.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault, isFault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { jsonObject, textMember } from '../base/json/index.ts';
import { silentLog } from '../base/log/index.ts';
import { formatMsat, msat, type Msat } from '../base/money/index.ts';
import { systemRandom } from '../base/random/index.ts';
import { systemClock } from '../base/time/index.ts';
import { openBooks, type Books } from '../books/index.ts';
import { openHttpDoor, type HttpDoor } from '../door/http/index.ts';
import { openHost, type Host } from '../host/index.ts';
import { isBalanced, type Sheet } from '../pay/ledger/index.ts';
import { Payer, type Link, type PayerSession } from '../payer/index.ts';
import { openHostKeys, payerKeyring } from '../port/keys/index.ts';
import { openNet, type Net, type NetRequest } from '../port/net/index.ts';
import { openHostStore, openPayerStore, type PayerStore } from '../port/store/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { SAMPLE_QUOTES, quotesService } from './quotes.ts';
import { startRegtest } from './regtest.ts';
import { formatDuration, type Terminal } from './terminal.ts';

const PRICE_MSAT = msat(1000);
const CALLS = 4;

/** How it ended. Amounts are decimal texts in millisatoshis. */
export interface DemoSummary {
  readonly received_msat: string;
  readonly served_msat: string;
  readonly reserved_msat: string;
  readonly credit_msat: string;
  readonly refunding_msat: string;
  readonly refunded_msat: string;
  readonly refund_fees_msat: string;
  readonly expired_msat: string;
  readonly unattributed_msat: string;
  /** Calls that were served and charged. */
  readonly calls: number;
  readonly receipts_verified: number;
  readonly balanced: boolean;
}

/** Runs the demo in a directory of its own, which it removes. */
export async function runDemo(terminal: Terminal): Promise<DemoSummary> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-demo-'));
  const closers: (() => Promise<void>)[] = [];
  try {
    terminal.line(terminal.bold('tollcall: a real sale over Lightning, on a private chain'));
    terminal.line();
    const parts = { clock: systemClock, log: silentLog, terminal };
    const network = await startRegtest(dir, parts);
    closers.push(() => network.close());
    const shop = await openShop(dir, network.seller, terminal, closers);
    const buyer = await openBuyer(dir, network.buyer, shop, closers);
    return await trade(terminal, shop, buyer);
  } finally {
    for (const close of closers.toReversed()) await close();
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Shop {
  readonly dir: string;
  readonly host: Host;
  readonly books: Books;
  readonly door: HttpDoor;
}

async function openShop(
  dir: string,
  wallet: Wallet,
  terminal: Terminal,
  closers: (() => Promise<void>)[],
): Promise<Shop> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const home = join(dir, 'host');
  // Answers are withheld from now on; there is nothing left to do.
  const onBroken = (fault: Fault): void => {
    terminal.line(terminal.bad(fault.message));
    process.exit(1);
  };
  return terminal.step(
    'host',
    async () => {
      const keys = await openHostKeys(home);
      const store = await openHostStore({ file: join(home, 'books.db'), thread: true });
      const books = await openBooks({ store, clock, log, onBroken });
      const services = [quotesService(SAMPLE_QUOTES, { kind: 'each', priceMsat: PRICE_MSAT })];
      const host = await openHost({ keys, wallet, books, services, clock, random, log });
      closers.push(() => host.close());
      const door = await openHttpDoor(host, { address: '127.0.0.1', port: 0 }, log);
      closers.push(() => door.close());
      return { dir: home, host, books, door };
    },
    ({ door }) => `${door.url} sells quotes at ${formatMsat(PRICE_MSAT)} a call`,
  );
}

interface Buyer {
  readonly payer: Payer;
  readonly link: Link;
  readonly wire: Wiretap;
}

async function openBuyer(
  dir: string,
  wallet: Wallet,
  shop: Shop,
  closers: (() => Promise<void>)[],
): Promise<Buyer> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const wire = new Wiretap(openNet());
  closers.push(() => wire.close());
  const store: PayerStore = await openPayerStore({ file: join(dir, 'payer', 'payer.db') });
  closers.push(() => store.close());
  const parts = { net: wire, store, wallet, clock, random, log, keyring: payerKeyring };
  const payer = new Payer(parts);
  // The seller hands out this file; whoever answers under another key is not the seller.
  const hostKeyPem = readFileSync(join(shop.dir, 'host_pub.pem'), 'utf8');
  return { payer, link: await payer.connect(shop.door.url, { hostKeyPem }), wire };
}

/** A net that remembers the last call it carried, as somebody on the wire would. */
class Wiretap implements Net {
  readonly #net: Net;
  #last: NetRequest | undefined;

  constructor(net: Net) {
    this.#net = net;
  }

  send(request: NetRequest): ReturnType<Net['send']> {
    if (request.url.includes('/call/')) this.#last = request;
    return this.#net.send(request);
  }

  /** Sends the last call again, with its credential passed through `change`. */
  async again(change: (authorization: string) => string): Promise<{ cost: string; body: Json }> {
    if (!this.#last) throw new Fault('USAGE_INVALID');
    const authorization = change(this.#last.headers['authorization'] ?? '');
    const headers = { ...this.#last.headers, authorization };
    const answer = await this.#net.send({ ...this.#last, headers });
    const body = JSON.parse(Buffer.from(answer.body).toString()) as Json;
    return { cost: /charged=(\d+)/.exec(answer.headers['toll-session'] ?? '')?.[1] ?? '0', body };
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

async function trade(terminal: Terminal, shop: Shop, buyer: Buyer): Promise<DemoSummary> {
  const { payer, link, wire } = buyer;
  const total = msat(PRICE_MSAT * BigInt(CALLS));
  const session = await terminal.step(
    'payment',
    () => payer.buy(link, { service: 'quotes', calls: CALLS, maxTotalMsat: total }),
    () => `one invoice, ${formatMsat(total)}: ${CALLS} calls of quotes`,
  );
  const rows: string[][] = [['call', 'answer', 'cost', 'time']];
  const call = (symbol: string): Promise<void> => quote(session, symbol, rows);
  await call('AAPL');
  await timed(rows, 'the same bytes again', async () => {
    const { body, cost } = await wire.again((authorization) => authorization);
    return [price(body), formatMsat(msat(BigInt(cost)))];
  });
  await timed(rows, 'a tampered code', async () => {
    const { body, cost } = await wire.again((text) =>
      text.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
    );
    return [`refused: ${textMember(jsonObject(body), 'code')}`, formatMsat(msat(BigInt(cost)))];
  });
  await call('NOPE');
  for (const symbol of ['BTC', 'NVDA', 'SAP']) await call(symbol);
  terminal.line();
  terminal.table(rows, [2, 3]);
  terminal.line();
  return settleUp(terminal, shop, session);
}

async function quote(session: PayerSession, symbol: string, rows: string[][]): Promise<void> {
  await timed(rows, `quotes ${symbol}`, async () => {
    try {
      const { result, balance } = await session.call({ symbol });
      return [price(result), formatMsat(balance?.chargedMsat ?? msat(0))];
    } catch (error) {
      if (!isFault(error) || error.row.money !== 'unspent') throw error;
      const { creditMsat } = await session.status();
      return [`failed, not charged: ${formatMsat(creditMsat)} credit kept`, formatMsat(msat(0))];
    }
  });
}

async function timed(
  rows: string[][],
  name: string,
  run: () => Promise<readonly [string, string]>,
): Promise<void> {
  const startMs = systemClock.monotonicMs();
  const [answer, cost] = await run();
  rows.push([name, answer, cost, formatDuration(systemClock.monotonicMs() - startMs)]);
}

function price(result: Json): string {
  const quoted = jsonObject(result);
  return `${textMember(quoted, 'price')} ${textMember(quoted, 'currency')}`;
}

async function settleUp(
  terminal: Terminal,
  shop: Shop,
  session: PayerSession,
): Promise<DemoSummary> {
  const sheet = await shop.books.sheet();
  const { facts } = await session.receipt();
  const balanced = isBalanced(sheet);
  printSheet(terminal, sheet);
  terminal.line();
  terminal.line(
    `  ${terminal.good('✔')} receipt   signed by the host, verified: ` +
      `${facts.servedCalls} calls, ${formatMsat(facts.servedMsat)} served`,
  );
  terminal.line(
    balanced
      ? `  ${terminal.good('✔')} books     balanced: every millisatoshi received is accounted for`
      : `  ${terminal.bad('✘')} books     NOT balanced`,
  );
  return {
    received_msat: `${sheet.receivedMsat}`,
    served_msat: `${sheet.servedMsat}`,
    reserved_msat: `${sheet.reservedMsat}`,
    credit_msat: `${sheet.creditMsat}`,
    refunding_msat: `${sheet.refundingMsat}`,
    refunded_msat: `${sheet.refundedMsat}`,
    refund_fees_msat: `${sheet.refundFeesMsat}`,
    expired_msat: `${sheet.expiredMsat}`,
    unattributed_msat: `${sheet.unattributedMsat}`,
    calls: facts.servedCalls,
    receipts_verified: 1,
    balanced,
  };
}

function printSheet(terminal: Terminal, sheet: Sheet): void {
  const places: [string, Msat][] = [
    ['served', sheet.servedMsat],
    ['reserved', sheet.reservedMsat],
    ['credit', sheet.creditMsat],
    ['refunding', sheet.refundingMsat],
    ['refunded', sheet.refundedMsat],
    ['refund fees', sheet.refundFeesMsat],
    ['expired', sheet.expiredMsat],
    ['unattributed', sheet.unattributedMsat],
  ];
  terminal.table(
    [
      ['balance sheet of the host', 'msat'],
      ['received', sheet.receivedMsat.toLocaleString('en-US')],
      ...places.map(([name, amount]) => [`  ${name}`, amount.toLocaleString('en-US')]),
    ],
    [1],
  );
}
