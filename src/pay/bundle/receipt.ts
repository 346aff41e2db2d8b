/**
 * Receipts: what a host has served for a session, signed, and checked without asking anyone.
 *
 * A receipt is cumulative: the latest one replaces all earlier ones. Its text is lines of
 * `name: value` in a fixed order; the last line is the Ed25519 signature over everything before it.
 * The Ed25519 key is certified by the host's RSA key.
 * @module
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { fromBase64url, toBase64url, utf8 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { parseMsat, type Msat } from '../../base/money/index.ts';
import { receiptKeyStatement } from './setup.ts';

/** What a receipt says about one session. */
export interface ReceiptFacts {
  /** SHA-256 of the host's public key, hex. */
  readonly host: string;
  readonly session: string;
  readonly service: string;
  /** The invoice that paid for it, by its payment hash, hex. */
  readonly paymentHash: string;
  readonly paidMsat: Msat;
  readonly servedMsat: Msat;
  /** Paid back, ever; the fees of routing it apart. */
  readonly refundedMsat: Msat;
  readonly refundFeesMsat: Msat;
  /** Free to be spent or refunded: not what is reserved or being refunded right now. */
  readonly creditMsat: Msat;
  readonly servedCalls: number;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** The receipt key of a host and its certificate. */
export interface ReceiptKey {
  readonly publicKey: Uint8Array;
  readonly certificate: Uint8Array;
}

/** RFC 8032: a key of low order, whose signatures fit any text, is refused. */
const STRICT = { zip215: false };

const HEAD = 'tollcall receipt 1';
const NAMES = [
  'host',
  'session',
  'service',
  'payment-hash',
  'paid-msat',
  'served-msat',
  'refunded-msat',
  'refund-fees-msat',
  'credit-msat',
  'served-calls',
  'at',
  'receipt-key',
  'receipt-certificate',
] as const;

/** The text of a receipt; `sign` is Ed25519 with the receipt key. */
export function printReceipt(
  facts: ReceiptFacts,
  key: ReceiptKey,
  sign: (message: Uint8Array) => Uint8Array,
): string {
  const values: Record<(typeof NAMES)[number], string> = {
    host: facts.host,
    session: facts.session,
    service: facts.service,
    'payment-hash': facts.paymentHash,
    'paid-msat': facts.paidMsat.toString(),
    'served-msat': facts.servedMsat.toString(),
    'refunded-msat': facts.refundedMsat.toString(),
    'refund-fees-msat': facts.refundFeesMsat.toString(),
    'credit-msat': facts.creditMsat.toString(),
    'served-calls': facts.servedCalls.toString(),
    at: facts.at,
    'receipt-key': toBase64url(key.publicKey),
    'receipt-certificate': toBase64url(key.certificate),
  };
  const body = `${HEAD}\n${NAMES.map((name) => `${name}: ${values[name]}\n`).join('')}`;
  return `${body}signature: ${toBase64url(sign(utf8(body)))}\n`;
}

/**
 * Reads a receipt and checks both of its signatures.
 * @param verifyHost checks an RSA-SHA256 signature with the host key that the reader trusts
 * @throws Fault `RECEIPT_INVALID`
 */
export function verifyReceipt(
  text: string,
  verifyHost: (statement: Uint8Array, signature: Uint8Array) => boolean,
): ReceiptFacts {
  const { body, values, signature } = split(text);
  try {
    const publicKey = fromBase64url(values['receipt-key'], 'receipt-key');
    const certificate = fromBase64url(values['receipt-certificate'], 'receipt-certificate');
    if (!verifyHost(receiptKeyStatement(publicKey), certificate)) throw invalid('certificate');
    if (!ed25519.verify(fromBase64url(signature, 'signature'), utf8(body), publicKey, STRICT)) {
      throw invalid('signature');
    }
    return factsOf(values);
  } catch (error) {
    throw error instanceof Fault && error.code === 'RECEIPT_INVALID' ? error : invalid('encoding');
  }
}

function split(text: string): {
  body: string;
  values: Readonly<Record<string, string>>;
  signature: string;
} {
  const lines = text.split('\n');
  if (lines.length !== NAMES.length + 3 || lines.at(-1) !== '') throw invalid('lines');
  if (lines[0] !== HEAD) throw invalid('first line');
  const values: Record<string, string> = {};
  [...NAMES, 'signature'].forEach((name, i) => {
    const line = lines[i + 1] ?? '';
    if (!line.startsWith(`${name}: `)) throw invalid(name);
    values[name] = line.slice(name.length + 2);
  });
  const body = `${lines.slice(0, NAMES.length + 1).join('\n')}\n`;
  return { body, values, signature: values['signature'] ?? '' };
}

function factsOf(values: Readonly<Record<string, string>>): ReceiptFacts {
  const value = (name: (typeof NAMES)[number]): string => values[name] ?? '';
  return {
    host: value('host'),
    session: value('session'),
    service: value('service'),
    paymentHash: value('payment-hash'),
    paidMsat: parseMsat(value('paid-msat')),
    servedMsat: parseMsat(value('served-msat')),
    refundedMsat: parseMsat(value('refunded-msat')),
    refundFeesMsat: parseMsat(value('refund-fees-msat')),
    creditMsat: parseMsat(value('credit-msat')),
    servedCalls: count(value('served-calls')),
    at: value('at'),
  };
}

function count(text: string): number {
  if (!/^(0|[1-9]\d{0,14})$/.test(text)) throw invalid('served-calls');
  return Number(text);
}

function invalid(where: string): Fault {
  return new Fault('RECEIPT_INVALID', { where });
}
