/**
 * Every parser of foreign bytes, by the name of its corpus. What it gives back is printed again
 * where there is a printer: one meaning, one text.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fromBase64url, fromHex, fromUtf8, toHex } from '../../src/base/bytes/index.ts';
import { Fault, fromProblem } from '../../src/base/fault/index.ts';
import { encryptOnce } from '../../src/base/hash/index.ts';
import { canonicalJson, parseJson } from '../../src/base/json/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { msat, parseMsat } from '../../src/base/money/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import { decodeInvoice } from '../../src/bitcoin/bolt/index.ts';
import { readFields, wordsToNumber, wordsToPaddedBytes } from '../../src/bitcoin/bolt/words.ts';
import { openProfile } from '../../src/cli/profile.ts';
import { quotesService } from '../../src/cli/quotes.ts';
import { forwardedAddress, quotaAddress } from '../../src/door/http/address.ts';
import { connectLine, openLineServer } from '../../src/door/admin/line-socket.ts';
import { decodeEntries, encodeEntries } from '../../src/pay/ledger/index.ts';
import {
  BUNDLE_PROTOCOL,
  ephemeralPublic,
  member,
  messageHash,
  parseSetupReply,
  parseSetupRequest,
  quoteBox,
  sharedSecret,
  verifyReceipt,
} from '../../src/pay/bundle/index.ts';
import {
  IMAGE_ENTRY_BYTES,
  parseLaneOrders,
  printLaneOrders,
  readImage,
} from '../../src/pay/tick/index.ts';
import { parseRecord } from '../../src/payer/record.ts';
import { openReply } from '../../src/payer/setup.ts';
import { payerKeyring, peerKey } from '../../src/port/keys/index.ts';
import { openHostStore, openPayerStore } from '../../src/port/store/index.ts';
import { openState } from '../../src/port/wallet/ldk/state.ts';
import { parseRequest, parseResponse, printRequest, salvageId } from '../../src/wire/rpc/index.ts';
import {
  balanceFromJson,
  fromAuthorization,
  parseAsk,
  parseBalanceHeader,
  parseCall,
  parseDescription,
  priceFromJson,
  printAsk,
  parseTick,
  printCall,
  printTick,
} from '../../src/wire/toll/index.ts';
import { syncHostKeys } from '../fixtures/keys.ts';

/** Reads an input; returns or throws a Fault. */
export type Parser = (bytes: Uint8Array) => unknown;

/** How often a parser is run on mutated inputs; those that open files are slow. */
export interface Fuzzed {
  readonly parse: Parser;
  readonly runs: number;
}

/** The parsers of texts and bytes. */
export const PARSERS: Readonly<Record<string, Fuzzed>> = {
  json: {
    runs: 1500,
    parse: (bytes) => {
      const value = parseJson(bytes);
      assert.deepEqual(canonicalJson(parseJson(canonicalJson(value))), canonicalJson(value));
    },
  },
  utf8: fast((bytes) => fromUtf8(bytes, 'text')),
  hex: text((hex) => assert.equal(Buffer.from(fromHex(hex, 'x')).toString('hex'), hex)),
  base64url: text((coded) => {
    assert.equal(Buffer.from(fromBase64url(coded, 'x')).toString('base64url'), coded);
  }),
  msat: text((amount) => assert.equal(`${parseMsat(amount)}`, amount)),
  bolt11: { runs: 300, parse: (bytes) => decodeInvoice(fromUtf8(bytes, 'invoice')) },
  words: fast((bytes) => {
    for (const { words } of readFields([...bytes])) {
      wordsToPaddedBytes(words);
      wordsToNumber(words, 2 ** 32);
    }
  }),
  credential: text((credential) => assert.equal(printCall(parseCall(credential)), credential)),
  ask: text((credential) => assert.equal(printAsk(parseAsk(credential)), credential)),
  tick: text((credential) => assert.equal(printTick(parseTick(credential)), credential)),
  lanes: json((value) => {
    const lanes = parseLaneOrders(value);
    assert.deepEqual(parseLaneOrders(printLaneOrders(lanes)), lanes);
  }),
  'lane-image': fast((bytes) => {
    const image = readImage(bytes, 0);
    if (image === undefined) throw new Fault('BYTES_MALFORMED', { name: 'image' });
    assert(image.end <= bytes.length && image.entries.length % IMAGE_ENTRY_BYTES === 0);
  }),
  authorization: text((header) => parseCall(fromAuthorization(header))),
  balance: text((header) => parseBalanceHeader(header)),
  'balance-member': json((value) => balanceFromJson(value)),
  'rpc-request': json((value) => {
    salvageId(value);
    const request = parseRequest(value);
    assert.deepEqual(parseRequest(printRequest(request)), request);
  }),
  'rpc-response': json((value) => parseResponse(value, 1)),
  description: json((value) => {
    for (const { price } of parseDescription(value).services) priceFromJson(price);
  }),
  problem: json((value) => {
    throw fromProblem(value);
  }),
  'setup-request': json((value) => parseSetupRequest(value)),
  'setup-reply': json((value) => parseSetupReply(value)),
  quote: { runs: 300, parse: openQuote },
  receipt: text((receipt) => verifyReceipt(receipt, () => true)),
  entries: fast((bytes) => assert.deepEqual(encodeEntries(decodeEntries(bytes)), bytes)),
  'payer-record': fast((bytes) => parseRecord(bytes)),
  'public-key': { runs: 300, parse: (bytes) => peerKey(Buffer.from(bytes).toString('latin1')) },
  'private-key': {
    runs: 100,
    parse: (bytes) => payerKeyring.read(Buffer.from(bytes).toString('latin1')),
  },
  forwarded: text((header) => {
    const address = forwardedAddress(header);
    if (address === undefined) throw new Fault('REQUEST_MALFORMED');
    quotaAddress(address);
  }),
  'line-question': { runs: 60, parse: askLine },
  'line-answer': { runs: 60, parse: readAnswer },
  profile: onDisk('profile.json', async (dir) => {
    const profile = await openProfile(dir);
    await profile.close();
  }),
  'quotes-csv': onDisk('quotes.csv', async (dir) => {
    quotesService(join(dir, 'quotes.csv'), { kind: 'each', priceMsat: msat(1) });
  }),
  'ldk-state': onDisk('node.db', async (dir) => openState(dir).close()),
  'host-store': onDisk('books.db', async (dir) => {
    const store = await openHostStore({ file: join(dir, 'books.db'), thread: false });
    await store.close();
  }),
  'payer-store': onDisk('payer.db', async (dir) => {
    const store = await openPayerStore({ file: join(dir, 'payer.db') });
    await store.close();
  }),
};

function fast(parse: Parser): Fuzzed {
  return { parse, runs: 1000 };
}

/** A parser of texts; half a character can reach it, as it can in a JSON text. */
function text(parse: (text: string) => unknown): Fuzzed {
  return fast((bytes) =>
    parse(Buffer.from(bytes).toString('utf8').replaceAll('\\ud800', '\ud800')),
  );
}

/** A parser of what the JSON reader has let through. */
function json(parse: (value: ReturnType<typeof parseJson>) => unknown): Fuzzed {
  return fast((bytes) => parse(parseJson(bytes)));
}

/** A parser of a file in a folder of its own. */
function onDisk(name: string, open: (dir: string) => Promise<void>): Fuzzed {
  const parse = (bytes: Uint8Array): Promise<void> =>
    inFolder((dir) => {
      writeFileSync(join(dir, name), bytes, { mode: 0o600 });
      return open(dir);
    });
  return { parse, runs: 60 };
}

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-fuzz-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A question at a local socket; the one after it is answered all the same. */
async function askLine(bytes: Uint8Array): Promise<void> {
  await inFolder(async (dir) => {
    const path = join(dir, 's');
    const echo = async (value: unknown): Promise<unknown> => value;
    const server = await openLineServer(path, { echo }, silentLog);
    const socket = connect(path);
    const last = '{"id":77,"method":"echo","params":["end"]}';
    socket.write(Buffer.concat([bytes, Buffer.from(`\n${last}\n`)]));
    const answers: string[] = [];
    const closed = once(socket, 'close');
    createInterface({ input: socket }).on('line', (line) => {
      answers.push(line);
      if (line === '{"id":77,"result":"end"}') socket.destroy();
    });
    await closed;
    await server.close();
    assert(answers.includes('{"id":77,"result":"end"}'), 'it goes on');
    if (answers.some((line) => line.includes('"fault"'))) throw new Fault('REQUEST_MALFORMED');
  });
}

/** What stands in place of an answer of a local socket, which ends then. */
async function readAnswer(bytes: Uint8Array): Promise<void> {
  await inFolder(async (dir) => {
    const path = join(dir, 's');
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => socket.end(Buffer.concat([bytes, Buffer.from('\n')])));
    });
    server.listen(path);
    await once(server, 'listening');
    const client = await connectLine(path, () => new Fault('HOST_STOPPING'));
    try {
      await client?.ask('echo', 1);
    } finally {
      client?.close();
      server.close();
    }
  });
}

const SECRET = new Uint8Array(32).fill(7);
const EPHEMERAL = ephemeralPublic(SECRET);
const HEAD = {
  protocol: BUNDLE_PROTOCOL,
  ephemeral: member(EPHEMERAL),
  wrapped: member(SECRET),
} as const;

/** What a payer makes of a quote that was encrypted for it and signed by the right host. */
function openQuote(bytes: Uint8Array): Promise<unknown> {
  const request = { ...HEAD, host: 'ab'.repeat(32), payer: '', encrypted: '' };
  const secrets = {
    payerSecret: SECRET,
    hostSecret: SECRET,
    shared: sharedSecret(SECRET, EPHEMERAL),
    grant: SECRET,
  };
  const head = { ...HEAD, setup: toHex(messageHash(request)) };
  const box = quoteBox(secrets, head);
  const encrypted = member(encryptOnce(box.key, bytes, box.associated));
  const { payerSecret, grant } = secrets;
  const order = { stage: 'setup', calls: 4, maxTotalMsat: msat(10_000), privatePem: '' } as const;
  const sent = { ...order, request, payerSecret, grant, ephemeral: SECRET };
  const keys = { publicDer: SECRET, privatePem: '', unwrap: async () => SECRET };
  return openReply({ ...head, encrypted, signature: '' }, sent, {
    host: { ...peerKey(syncHostKeys().publicPem), verify: () => true },
    service: 'quotes',
    network: 'regtest',
    nowMs: unixMs(1_800_000_000_000),
    keyring: { make: async () => keys, read: () => keys },
  });
}
