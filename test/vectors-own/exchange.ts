/**
 * One set-up with everything that is random in it fixed, for the vectors of the bundle.
 * @module
 */
import { constants, createPublicKey, publicEncrypt, type KeyObject } from 'node:crypto';
import {
  concat,
  fromBase64url,
  fromHex,
  toBase64url,
  toHex,
  utf8,
} from '../../src/base/bytes/index.ts';
import { encryptOnce, sha256 } from '../../src/base/hash/index.ts';
import { canonicalText, type JsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import { encodeInvoice } from '../../src/bitcoin/bolt/index.ts';
import {
  BUNDLE_PROTOCOL,
  codeKey,
  ephemeralPublic,
  messageHash,
  orderBox,
  quoteBox,
  replyStatement,
  sharedSecret,
} from '../../src/pay/bundle/index.ts';
import { SPEC_KEY, signerOf } from '../fixtures/invoices.ts';
import { privateKey, syncHostKeys, syncPayerKeys } from '../fixtures/keys.ts';

/** So many bytes that look random and are the same each time: of SHA-256 of a name. */
export function fixedBytes(name: string, length = 32): Uint8Array {
  return sha256(utf8(`tollcall vectors: ${name}`)).slice(0, length);
}

const HASH_BYTES = 32;
const host = syncHostKeys();
const payer = syncPayerKeys();
const k1 = fixedBytes('k1');
const k2 = fixedBytes('k2');
const payerEphemeral = fixedBytes('payer ephemeral');
const hostEphemeral = fixedBytes('host ephemeral');
const grant = fixedBytes('grant');

/** RSA-OAEP with SHA-256 (RFC 8017, 7.1.1), the seed given: what nobody else should do. */
function oaepWithSeed(privately: KeyObject, message: Uint8Array, seed: Uint8Array): Uint8Array {
  const key = createPublicKey(privately);
  const size = (privately.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const padding = new Uint8Array(size - message.length - 2 * HASH_BYTES - 2);
  const block = concat(sha256(new Uint8Array(0)), padding, Uint8Array.of(1), message);
  const maskedBlock = xor(block, mask(seed, block.length));
  const maskedSeed = xor(seed, mask(maskedBlock, HASH_BYTES));
  const whole = concat(Uint8Array.of(0), maskedSeed, maskedBlock);
  return Uint8Array.from(publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, whole));
}

/** MGF1 with SHA-256 (RFC 8017, B.2.1). */
function mask(seed: Uint8Array, length: number): Uint8Array {
  const turns = Array.from({ length: Math.ceil(length / HASH_BYTES) }, (_, i) =>
    sha256(concat(seed, Uint8Array.of(0, 0, 0, i))),
  );
  return concat(...turns).slice(0, length);
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ (b[i] ?? 0));
}

/** The first message for an order, with what is inside. */
export function requestOf(order: JsonObject): JsonObject {
  const head = {
    protocol: BUNDLE_PROTOCOL,
    host: host.fingerprint,
    payer: toBase64url(payer.publicDer),
    ephemeral: toBase64url(ephemeralPublic(payerEphemeral)),
    wrapped: toBase64url(oaepWithSeed(privateKey('host-0'), k1, fixedBytes('seed 1'))),
  } as const;
  const box = orderBox(k1, head);
  const encrypted = encryptOnce(box.key, utf8(canonicalText(order)), box.associated);
  return {
    order,
    order_key: toHex(box.key),
    order_aad_sha256: toHex(sha256(box.associated)),
    request: { ...head, encrypted: toBase64url(encrypted) },
  };
}

/** The second message, with every key on the way to it. */
export async function replyTo(request: JsonObject, quote: JsonObject): Promise<JsonObject> {
  const setup = messageHash(request);
  const head = {
    setup: toHex(setup),
    ephemeral: toBase64url(ephemeralPublic(hostEphemeral)),
    wrapped: toBase64url(oaepWithSeed(privateKey('payer-0'), k2, fixedBytes('seed 2'))),
  };
  const shared = sharedSecret(hostEphemeral, ephemeralPublic(payerEphemeral));
  const secrets = { payerSecret: k1, hostSecret: k2, shared, grant };
  const box = quoteBox(secrets, head);
  const encrypted = toBase64url(encryptOnce(box.key, utf8(canonicalText(quote)), box.associated));
  const statement = replyStatement(setup, { ...head, encrypted });
  const signature = toBase64url(await host.sign(statement));
  return {
    quote,
    setup_hash: toHex(setup),
    shared: toHex(shared),
    reply_salt: toHex(sha256(box.associated)),
    quote_key: toHex(box.key),
    code_key: toHex(codeKey(secrets, head)),
    signed_statement: toHex(statement),
    reply: { protocol: BUNDLE_PROTOCOL, ...head, encrypted, signature },
  };
}

/** The quote of a set-up: `what` is its service and calls, or its lines. */
export function quoteFor(what: JsonObject, totalMsat: number): JsonObject {
  const preimage = fixedBytes('preimage');
  const draft = {
    network: 'regtest',
    amountMsat: msat(totalMsat),
    timestampSeconds: 1_700_000_000,
    expirySeconds: 600,
    paymentHash: toHex(sha256(preimage)),
    paymentSecret: toHex(fixedBytes('payment secret')),
    description: 'tollcall vectors',
    features: [9, 14],
  } as const;
  return {
    session: toHex(fixedBytes('session', 16)),
    ...what,
    total_msat: `${totalMsat}`,
    invoice: encodeInvoice(draft, signerOf(SPEC_KEY)),
    pay_by_ms: 1_700_000_600_000,
    expires_at_ms: 1_702_592_000_000,
    receipt_key: toBase64url(host.receiptKey),
    receipt_certificate: toBase64url(host.receiptCertificate),
  };
}

/** What the payer and the host made, as the file shows it. */
export const MADE = {
  k1: toHex(k1),
  k2: toHex(k2),
  payer_ephemeral: toHex(payerEphemeral),
  host_ephemeral: toHex(hostEphemeral),
  grant: toHex(grant),
};

/** The grant as an order carries it. */
export const GRANT = toBase64url(grant);

/** The bytes of a member of a vector: hex, or base64url where it says so. */
export const hex = (text: unknown): Uint8Array => fromHex(text, 'vector');

/** The same for base64url. */
export const binary = (text: unknown): Uint8Array => fromBase64url(text, 'vector');
