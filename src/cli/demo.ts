/**
 * `tollcall demo`: a real sale from nothing. Two Lightning nodes, one invoice, four calls, and the
 * books balanced at the end.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Fault, isFault } from '../base/fault/index.ts';
import {
  jsonObject,
  parseJson,
  textMember,
  type Json,
  type JsonObject,
} from '../base/json/index.ts';
import { silentLog } from '../base/log/index.ts';
import { ZERO_MSAT, formatMsat, msat, type Msat } from '../base/money/index.ts';
import { systemRandom } from '../base/random/index.ts';
import { systemClock } from '../base/time/index.ts';
import { isBalanced } from '../pay/ledger/index.ts';
import { Payer, type Link, type PayerSession } from '../payer/index.ts';
import type { Shop } from '../package/host/index.ts';
import { payerKeyring } from '../port/keys/index.ts';
import { openNet, type Net, type NetRequest } from '../port/net/index.ts';
import { openPayerStore, type PayerStore } from '../port/store/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import { openTerminalNetwork } from './regtest.ts';
import { printJson, reportFault } from './report.ts';
import { printBalanced, printSheet, sheetToJson, type SheetJson } from './sheet.ts';
import { openSampleShop, SAMPLE_PRICE_MSAT } from './shop.ts';
import { formatDuration, openTerminal, type Terminal } from './terminal.ts';

const CALLS = 4;

/** How it ended. */
export interface DemoSummary extends SheetJson {
  /** Calls that were served and charged. */
  readonly calls: number;
  readonly receipts_verified: number;
  readonly balanced: boolean;
}

/** Adds `tollcall demo`. */
export function addDemo(program: Command): void {
  program
    .command('demo')
    .summary('a complete sale on a private chain, from nothing')
    .description(
      'A complete sale on a private chain: two Lightning nodes, one invoice, four calls.',
    )
    .option('--json', 'print one JSON object at the end, and nothing else')
    .addHelpText(
      'after',
      '\nTakes about ten seconds, asks nothing, leaves nothing behind.\n\n' +
        'Examples:\n  tollcall demo\n  tollcall demo --json',
    )
    .action(async ({ json = false }: { json?: boolean }) => {
      const summary = await runDemo(openTerminal(process.stdout, json));
      if (json) printJson(summary);
      if (!summary.balanced) process.exitCode = 1;
    });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the demo in a directory of its own, which it removes. */
export async function runDemo(terminal: Terminal): Promise<DemoSummary> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-demo-'));
  const closers: (() => Promise<void>)[] = [];
  const stop = (): void => {
    // The nodes end with this process; only the directory would stay.
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    process.exit(130);
  };
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    terminal.line(terminal.bold('tollcall: a real sale over Lightning, on a private chain'));
    terminal.line();
    const network = await openTerminalNetwork({ dir, keep: false, log: silentLog, terminal });
    closers.push(() => network.close());
    const shop = await terminal.step(
      'host',
      () =>
        openSampleShop({
          dir: join(dir, 'host'),
          wallet: network.seller,
          port: 0,
          admin: false,
          onBroken,
        }),
      ({ door }) => `${door.url} sells quotes at ${formatMsat(SAMPLE_PRICE_MSAT)} a call`,
    );
    closers.push(() => shop.close());
    const buyer = await openBuyer(dir, network.buyer, shop, closers);
    return await trade(terminal, shop, buyer);
  } finally {
    for (const close of closers.toReversed()) await close();
    for (const signal of SIGNALS) process.off(signal, stop);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Answers are withheld from now on; there is nothing left to do. */
function onBroken(fault: Fault): void {
  process.exit(reportFault(fault));
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

/** What somebody on the wire learns from an answer. */
interface Overheard {
  readonly status: number;
  readonly costMsat: Msat;
  /** Empty when it is encrypted. */
  readonly body: JsonObject;
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
  async again(change: (authorization: string) => string): Promise<Overheard> {
    if (!this.#last) throw new Fault('USAGE_INVALID');
    const authorization = change(this.#last.headers['authorization'] ?? '');
    const headers = { ...this.#last.headers, authorization };
    const answer = await this.#net.send({ ...this.#last, headers });
    const charged = /charged=(\d+)/.exec(answer.headers['toll-session'] ?? '')?.[1] ?? '0';
    // Calls are encrypted where there is no TLS: only a refusal of a stranger can be read.
    const open = answer.headers['content-type']?.includes('json') === true;
    const body = open ? jsonObject(parseJson(answer.body)) : {};
    return { status: answer.status, costMsat: msat(BigInt(charged)), body };
  }

  close(): Promise<void> {
    return this.#net.close();
  }
}

async function trade(terminal: Terminal, shop: Shop, buyer: Buyer): Promise<DemoSummary> {
  const { payer, link, wire } = buyer;
  const total = msat(SAMPLE_PRICE_MSAT * BigInt(CALLS));
  const session = await terminal.step(
    'payment',
    () => payer.buy(link, { service: 'quotes', calls: CALLS, maxTotalMsat: total }),
    () => `one invoice, ${formatMsat(total)}: ${CALLS} calls of quotes`,
  );
  const rows: string[][] = [['call', 'answer', 'cost', 'time']];
  const call = (symbol: string): Promise<void> => quote(session, symbol, rows);
  await call('AAPL');
  await timed(rows, 'the same bytes again', async () => {
    const { status, costMsat } = await wire.again((authorization) => authorization);
    assert.equal(status, 200);
    assert.equal(costMsat, ZERO_MSAT, 'a repeat costs nothing');
    return ['the same answer, encrypted', formatMsat(costMsat)];
  });
  await timed(rows, 'a tampered code', async () => {
    const { body, costMsat } = await wire.again((text) =>
      text.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
    );
    const code = textMember(body, 'code');
    assert(code.startsWith('CODE_'), 'a tampered code is refused');
    return [`refused: ${code}`, formatMsat(costMsat)];
  });
  await call('NOPE');
  for (const symbol of ['BTC', 'NVDA', 'SAP']) await call(symbol);
  terminal.line();
  terminal.table(rows, [2, 3]);
  terminal.line();
  return closeUp(terminal, shop, session);
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

async function closeUp(
  terminal: Terminal,
  shop: Shop,
  session: PayerSession,
): Promise<DemoSummary> {
  const sheet = await shop.books.sheet();
  const { facts } = await session.receipt();
  assert.equal(facts.servedMsat, sheet.servedMsat, 'the receipt says what the books say');
  const balanced = isBalanced(sheet);
  printSheet(terminal, sheet);
  terminal.line();
  terminal.line(
    `  ${terminal.good('✔')} receipt   signed by the host, verified: ` +
      `${facts.servedCalls} calls, ${formatMsat(facts.servedMsat)} served`,
  );
  printBalanced(terminal, sheet);
  return {
    ...sheetToJson(sheet),
    calls: facts.servedCalls,
    receipts_verified: 1,
    balanced,
  };
}
