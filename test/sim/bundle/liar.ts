/**
 * A host that lies: an honest one stands behind it and has the keys, and each answer may be another
 * one on its way out.
 * @module
 */
import { toHex, utf8 } from '../../../src/base/bytes/index.ts';
import { FAULTS } from '../../../src/base/fault/index.ts';
import { decryptOnce, encryptOnce } from '../../../src/base/hash/index.ts';
import {
  jsonObject,
  parseJson,
  textMember,
  type Json,
  type JsonObject,
} from '../../../src/base/json/index.ts';
import { msat } from '../../../src/base/money/index.ts';
import type { Random } from '../../../src/base/random/index.ts';
import type { HostResponse } from '../../../src/host/index.ts';
import {
  binaryMember,
  ephemeralPublic,
  member,
  messageHash,
  orderBox,
  parseSetupRequest,
  printReceipt,
  quoteBox,
  replyStatement,
  sharedSecret,
} from '../../../src/pay/bundle/index.ts';
import { peerKey } from '../../../src/port/keys/index.ts';
import type { NetRequest } from '../../../src/port/net/index.ts';
import type { FakeWallet } from '../../../src/port/wallet/index.ts';
import { syncHostKeys } from '../../fixtures/keys.ts';
import { PRICE_MSAT } from './market.ts';

/** One answer in so many is a lie; of first messages one in two. */
const LIES = 5;

/** The liar. */
export class Liar {
  readonly #random: Random;
  readonly #wallet: FakeWallet;
  readonly #keys = syncHostKeys();
  /** What it has answered to anybody, by the kind of question. */
  readonly #said = new Map<string, HostResponse[]>();
  /** Sessions and invoices that it has sold already. */
  readonly #sessions: string[] = [];
  readonly #invoices: Invoice[] = [];

  constructor(random: Random, wallet: FakeWallet) {
    this.#random = random;
    this.#wallet = wallet;
  }

  /** Answers for the honest host, or in its place. */
  async answer(handle: () => Promise<HostResponse>, request: NetRequest): Promise<HostResponse> {
    const kind = kindOf(request);
    if (kind === 'toll.setup' && this.#oneIn(2)) return this.#forge(request);
    const honest = await handle();
    const said = this.#said.get(kind) ?? [];
    this.#said.set(kind, [...said, honest].slice(-8));
    if (!this.#oneIn(LIES)) return honest;
    const lies = [
      // An answer to another question of this kind, or of any.
      (): HostResponse => this.#pick(said) ?? honest,
      (): HostResponse => this.#pick([...this.#said.values()].flat()) ?? honest,
      (): HostResponse => jsonResponse(200, this.#pick(NOT_JSON) ?? ''),
      (): HostResponse => this.#problem(),
      (): HostResponse => ({ ...honest, headers: { 'toll-balance': 'charged=-1, credit=x' } }),
      (): HostResponse => this.#changed(honest, kind),
      (): HostResponse => this.#changed(honest, kind),
      (): HostResponse => this.#changed(honest, kind),
    ];
    return (this.#pick(lies) ?? assertNever)();
  }

  /** An error of the table, one that is not, or one that is none. */
  #problem(): HostResponse {
    const code = this.#pick([...Object.keys(FAULTS), 'MADE_UP', '__proto__', '']) ?? '';
    const status = this.#pick([200, 204, 301, 400, 402, 404, 429, 500, 503]) ?? 500;
    const problem = {
      code,
      status,
      title: '\u001b[2J',
      retry: 'same',
      money: 'spent',
      facts: { n: 1 },
    };
    return jsonResponse(status, this.#oneIn(2) ? problem : rpcError(problem));
  }

  /** The honest answer with other facts. */
  #changed(honest: HostResponse, kind: string): HostResponse {
    let body: Json;
    try {
      body = parseJson(honest.body);
    } catch {
      return honest;
    }
    if (kind === 'toll.receipt')
      return jsonResponse(200, { ...jsonObject(body), ...this.#receipt() });
    return jsonResponse(honest.status, this.#change(body), honest.headers);
  }

  /** Another value in one place. */
  #change(value: Json): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.#pick(VALUES) ?? null;
    }
    const entries = Object.entries(value as JsonObject);
    const at = this.#random.below(Math.max(1, entries.length));
    return Object.fromEntries(
      entries.map(([name, inner], i) => [name, i === at ? this.#change(inner) : inner]),
    );
  }

  /** A receipt with a good signature and any numbers. */
  #receipt(): JsonObject {
    const amount = (): ReturnType<typeof msat> => msat(this.#random.below(10_000));
    const facts = {
      host: this.#keys.fingerprint,
      session: this.#pick([...this.#sessions, 'ee'.repeat(16)]) ?? '',
      service: 'work-none',
      paymentHash: 'ab'.repeat(32),
      paidMsat: amount(),
      servedMsat: amount(),
      refundedMsat: amount(),
      refundFeesMsat: amount(),
      creditMsat: amount(),
      servedCalls: this.#random.below(100),
      at: '2027-01-15T08:00:00.000Z',
    };
    const { receiptKey, receiptCertificate } = this.#keys;
    const key = { publicKey: receiptKey, certificate: receiptCertificate };
    const receipt = printReceipt(facts, key, (message) => this.#keys.signReceipt(message));
    return { jsonrpc: '2.0', id: 1, result: { receipt } };
  }

  /** A quote with a good signature: over other terms, another amount, somebody else's session. */
  async #forge({ body }: NetRequest): Promise<HostResponse> {
    const request = parseSetupRequest(jsonObject(parseJson(body ?? new Uint8Array(0)))['params']);
    const keys = this.#keys;
    const payerSecret = await keys.unwrap(binaryMember(request.wrapped, 'wrapped'));
    const opened = decryptOnce(
      orderBox(payerSecret, request).key,
      binaryMember(request.encrypted, 'encrypted'),
      orderBox(payerSecret, request).associated,
    );
    const { service, calls, grant } = jsonObject(parseJson(opened));
    const ephemeral = this.#random.bytes(32);
    const hostSecret = this.#random.bytes(32);
    const secrets = {
      payerSecret,
      hostSecret,
      shared: sharedSecret(ephemeral, binaryMember(request.ephemeral, 'ephemeral', 32)),
      grant: binaryMember(grant, 'grant', 32),
    };
    const hash = messageHash(request);
    const lie = this.#pick(QUOTES) ?? 'none';
    const head = {
      protocol: request.protocol,
      setup: lie === 'answer to another' ? 'cd'.repeat(32) : toHex(hash),
      ephemeral: member(ephemeralPublic(ephemeral)),
      wrapped: member(peerKey(binaryMember(request.payer, 'payer')).wrap(hostSecret)),
    } as const;
    const quote = await this.#terms({ service: service ?? null, calls: calls ?? null }, lie);
    const box = quoteBox(secrets, head);
    const text = lie === 'not JSON' ? '[' : JSON.stringify(quote);
    const unsigned = {
      ...head,
      encrypted: member(encryptOnce(box.key, utf8(text), box.associated)),
    };
    const signature = member(await keys.sign(replyStatement(hash, unsigned)));
    const result = { ...unsigned, signature: lie === 'signature' ? member(hostSecret) : signature };
    return jsonResponse(200, { jsonrpc: '2.0', id: 1, result });
  }

  /** Terms with one thing that is wrong, or none. */
  async #terms(order: { service: Json; calls: Json }, lie: Lie): Promise<JsonObject> {
    const price = PRICE_MSAT * BigInt(Number(order.calls));
    const total = lie === 'dear' ? price * 2n : lie === 'cheap' ? 1n : price;
    const sold = lie === 'invoice sold before' ? this.#pick(this.#invoices) : undefined;
    const invoiced = lie === 'invoice' ? price * 2n : total;
    const { text, amountMsat } =
      sold ?? (await this.#invoice(invoiced, lie === 'invoice expires' ? 5 : 600));
    const old = lie === 'session sold before' ? this.#pick(this.#sessions) : undefined;
    const session = old ?? toHex(this.#random.bytes(16));
    this.#sessions.push(session);
    const { receiptKey, receiptCertificate } = this.#keys;
    const terms = {
      session,
      ...order,
      total_msat: (sold ? amountMsat : total).toString(),
      invoice: text,
      pay_by_ms: 1_900_000_000_000,
      expires_at_ms: 1_900_000_000_000,
      receipt_key: member(receiptKey),
      receipt_certificate: member(receiptCertificate),
    };
    return lie === 'a member' ? jsonObject(this.#change(terms)) : terms;
  }

  async #invoice(amount: bigint, expirySeconds: number): Promise<Invoice> {
    const order = { description: 'anything', amountMsat: msat(amount), expirySeconds };
    const { invoice } = await this.#wallet.createInvoice(order);
    const made = { text: invoice, amountMsat: amount };
    this.#invoices.push(made);
    return made;
  }

  #oneIn(count: number): boolean {
    return this.#random.below(count) === 0;
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#random.below(Math.max(1, list.length))];
  }
}

/** What can be wrong with a quote. */
const QUOTES = [
  'none',
  'dear',
  'cheap',
  'invoice',
  'invoice sold before',
  'invoice sold before',
  'invoice expires',
  'session sold before',
  'a member',
  'a member',
  'answer to another',
  'not JSON',
  'signature',
] as const;
type Lie = (typeof QUOTES)[number];

interface Invoice {
  readonly text: string;
  readonly amountMsat: bigint;
}

/** Values where others are expected; some of them are what an honest host would like to say. */
const VALUES: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1e300,
  '',
  '0',
  '-1',
  '9'.repeat(30),
  'refunded',
  'failed',
  'refunding',
  'once',
  'mainnet',
  '\u0000',
  [],
  {},
];
const NOT_JSON = [
  '<html>',
  '{"a":1,"a":2}',
  '[',
  '\ufeff{}',
  '['.repeat(5_000),
  '{"result":1}x',
].map((text) => utf8(text));

function kindOf({ url, body }: NetRequest): string {
  const { pathname } = new URL(url);
  if (pathname !== '/rpc') return pathname.startsWith('/call/') ? 'call' : pathname;
  return textMember(jsonObject(parseJson(body ?? new Uint8Array(0))), 'method');
}

function rpcError(problem: JsonObject): JsonObject {
  return { jsonrpc: '2.0', id: 1, error: { code: -32000, message: 'x', data: problem } };
}

function jsonResponse(
  status: number,
  body: Json | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): HostResponse {
  const bytes = body instanceof Uint8Array ? body : utf8(JSON.stringify(body));
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: bytes };
}

function assertNever(): never {
  throw new Error('a liar has a lie');
}
