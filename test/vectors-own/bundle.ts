/**
 * Makes the vectors of the bundle protocol, for whoever writes another payer or host: every value
 * between the seeds and the wire. `node test/vectors-own/make.ts` writes them down.
 * @module
 */
import { toHex, utf8 } from '../../src/base/bytes/index.ts';
import { canonicalText, type Json, type JsonObject } from '../../src/base/json/index.ts';
import { msat } from '../../src/base/money/index.ts';
import {
  BUNDLE_PROTOCOL,
  askCode,
  callCode,
  printTopUpQuote,
  refundCode,
  requestHash,
  encryptAnswer,
  encryptRequest,
  encryptedHash,
  topUpCode,
  type Question,
} from '../../src/pay/bundle/index.ts';
import { printAsk, printCall } from '../../src/wire/toll/index.ts';
import { pem, syncHostKeys, syncPayerKeys } from '../fixtures/keys.ts';
import { GRANT, MADE, fixedBytes, hex, quoteFor, replyTo, requestOf } from './exchange.ts';

/** The example of docs/bundle.md: keys that one sees are none. */
const EXAMPLE = { key: '11'.repeat(32), host: '22'.repeat(32), session: '33'.repeat(16) };
const HOST = syncHostKeys().fingerprint;
const SESSION = toHex(fixedBytes('session', 16));

/** Who talks to whom, and under which key. */
interface Parties {
  readonly key: string;
  readonly host: string;
  readonly session: string;
}

/** The whole file. */
export async function bundleVectors(): Promise<JsonObject> {
  const single = await setup('one service', { service: 'quotes', calls: 3 }, 3000);
  const lines = [
    { service: 'quotes', calls: 100, total_msat: '100000' },
    { service: 'news', calls: 10, total_msat: '50000' },
  ];
  const order = lines.map(({ service, calls }) => ({ service, calls }));
  const several = await setup('two services', { lines: order }, 150_000, { lines });
  const parties = { key: single['code_key'] as string, host: HOST, session: SESSION };
  return {
    protocol: BUNDLE_PROTOCOL,
    host_private_key: pem('host-0'),
    host_public_key: syncHostKeys().publicPem,
    host_fingerprint: HOST,
    payer_private_key: syncPayerKeys().privatePem,
    made: MADE,
    setups: [single, several],
    calls: callVectors(parties),
    questions: [
      questionVector(EXAMPLE, 'session', hex('44'.repeat(16))),
      questionVector(parties, 'session'),
      questionVector(parties, 'receipt'),
    ],
    topups: [topUpVector('docs/bundle.md', EXAMPLE), topUpVector('another session', parties)],
    refunds: [refundVector(parties)],
  };
}

async function setup(
  name: string,
  what: JsonObject,
  totalMsat: number,
  quoted = what,
): Promise<JsonObject> {
  const first = requestOf({ ...what, grant: GRANT });
  const request = first['request'] as JsonObject;
  const second = await replyTo(request, quoteFor(quoted, totalMsat));
  return { name, ...first, ...second };
}

function callVectors(parties: Parties): JsonObject[] {
  const quotes = { n: 0n, done: 0n, service: 'quotes' };
  const far = 0xffff_ffff_ffff_ffffn;
  const order = { '\u00e4\n"': '\u2028 \ud83d\ude00', '\ud83d\ude00': 1, '\ufb33': 2, a: {} };
  const numbers = [0.1, -0.5, 1e21, 1e-7, 100, 9007199254740991, true, null];
  return [
    callVector('docs/bundle.md', EXAMPLE, { ...quotes, n: 7n, done: 5n }),
    callVector('the first call of a session', parties, quotes),
    callVector('the highest number', parties, { ...quotes, n: far, done: far - 63n }),
    callVector('order of members, escapes', parties, { ...quotes, n: 1n, input: order }),
    callVector('numbers', parties, { ...quotes, n: 2n, input: numbers }),
    callVector('an input that is no object', parties, { ...quotes, n: 3n, input: 'BTC' }),
  ];
}

interface Asked {
  readonly n: bigint;
  readonly done: bigint;
  readonly service: string;
  readonly input?: Json;
}

function callVector(
  name: string,
  { key, host, session }: Parties,
  { n, done, service, input = { symbol: 'BTC' } }: Asked,
): JsonObject {
  const example = name.startsWith('docs');
  const salt = example ? hex('44'.repeat(16)) : fixedBytes(`salt of ${name}`, 16);
  const answerSalt = example ? hex('55'.repeat(16)) : fixedBytes(`answer salt of ${name}`, 16);
  const hash = requestHash(service, input);
  const fields = { host, session, n, done, salt };
  const code = callCode(hex(key), { ...fields, requestHash: hash });
  const boxCode = callCode(hex(key), { ...fields, requestHash: encryptedHash(hash) });
  const boxCredential = printCall({ ...fields, code: boxCode });
  const call = { codeKey: hex(key), salt, credential: boxCredential, service };
  const plain = JSON.stringify(input);
  const said = { status: 200, balance: 'charged=1000, credit=3000, calls-left=3' };
  const refused = { status: 502, balance: '' };
  const answer = (head: typeof said, json: string): JsonObject => ({
    ...head,
    salt: toHex(answerSalt),
    plain: json,
    encrypted: toHex(encryptAnswer(call, { ...head, salt: answerSalt, plain: utf8(json) })),
  });
  return {
    name,
    key,
    host,
    session,
    n: `${n}`,
    done: `${done}`,
    salt: toHex(salt),
    service,
    input: plain,
    canonical: canonicalText({ input, service }),
    request_hash: toHex(hash),
    code: toHex(code),
    credential: printCall({ ...fields, code }),
    encrypted_code: toHex(boxCode),
    encrypted_credential: boxCredential,
    encrypted_input: toHex(encryptRequest(call, utf8(plain))),
    answers: [answer(said, '{"price":1}'), answer(refused, '{"code":"SERVICE_FAILED"}')],
  };
}

function questionVector(
  { key, host, session }: Parties,
  question: Question,
  salt = fixedBytes(`salt of ${question}`, 16),
): JsonObject {
  const code = askCode(hex(key), { host, session, salt, question });
  const credential = printAsk({ session, salt, code });
  return { key, host, session, salt: toHex(salt), question, code: toHex(code), credential };
}

function topUpVector(name: string, { key, host, session }: Parties): JsonObject {
  const salt = hex('44'.repeat(16));
  const order = { id: '66'.repeat(16), service: 'quotes', calls: 4 };
  const code = topUpCode(hex(key), { host, session, salt, ...order });
  const unsigned = {
    id: order.id,
    session,
    service: order.service,
    calls: order.calls,
    total_msat: '4000',
    invoice: 'lnbcrt40n1example',
    pay_by_ms: 1_700_000_600_000,
    expires_at_ms: 1_702_592_000_000,
  };
  return {
    name,
    key,
    host,
    session,
    salt: toHex(salt),
    params: order,
    code: toHex(code),
    credential: printAsk({ session, salt, code }),
    quotes: [
      printTopUpQuote(hex(key), unsigned),
      printTopUpQuote(hex(key), { ...unsigned, paid: true }),
    ],
  };
}

function refundVector({ key, host, session }: Parties): JsonObject {
  const salt = fixedBytes('salt of refund', 16);
  const params = { invoice: 'lnbcrt20n1example', amount_msat: '2000' };
  const fields = { host, session, salt, invoice: params.invoice, amountMsat: msat(2000) };
  const code = refundCode(hex(key), fields);
  const credential = printAsk({ session, salt, code });
  return { key, host, session, salt: toHex(salt), params, code: toHex(code), credential };
}
