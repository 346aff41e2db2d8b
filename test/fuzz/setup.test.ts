/**
 * Fuzz: the messages of the set-up exchange, encrypted boxes, wrapped secrets, keys.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '../../src/base/fault/index.ts';
import { decryptOnce } from '../../src/base/hash/index.ts';
import type { Json } from '../../src/base/json/index.ts';
import {
  BUNDLE_PROTOCOL,
  binaryMember,
  member,
  messageHash,
  parseSetupReply,
  parseSetupRequest,
  replyStatement,
  sharedSecret,
} from '../../src/pay/bundle/index.ts';
import { peerKey, payerKeyring } from '../../src/port/keys/index.ts';
import { pem, syncHostKeys, syncPayerKeys } from '../fixtures/keys.ts';
import { bytes, mangled, onlyFaults, spoiled, texts, values } from './hostile.ts';

const HOST = syncHostKeys();
const text = (length: number): string => member(new Uint8Array(length).fill(9));
const REQUEST = {
  protocol: BUNDLE_PROTOCOL,
  host: HOST.fingerprint,
  payer: member(syncPayerKeys().publicDer),
  ephemeral: text(32),
  wrapped: text(512),
  encrypted: text(100),
};
const REPLY = {
  protocol: BUNDLE_PROTOCOL,
  setup: 'ab'.repeat(32),
  ephemeral: text(32),
  wrapped: text(512),
  encrypted: text(300),
  signature: text(512),
};

test('first messages, and what a host does with their members', () => {
  fc.assert(
    fc.property(fc.oneof(values(Object.keys(REQUEST)), spoiled(REQUEST)), (value: Json) => {
      const request = onlyFaults(() => parseSetupRequest(value));
      if (request === undefined) return;
      assert.equal(messageHash(request).length, 32);
      onlyFaults(() => peerKey(binaryMember(request.payer, 'payer')));
      const key = onlyFaults(() => binaryMember(request.ephemeral, 'ephemeral', 32));
      if (key !== undefined) onlyFaults(() => sharedSecret(new Uint8Array(32).fill(3), key));
      onlyFaults(() => binaryMember(request.wrapped, 'wrapped'));
      onlyFaults(() => binaryMember(request.encrypted, 'encrypted'));
    }),
    { numRuns: 1000 },
  );
});

test('second messages', () => {
  fc.assert(
    fc.property(fc.oneof(values(Object.keys(REPLY)), spoiled(REPLY)), (value: Json) => {
      const reply = onlyFaults(() => parseSetupReply(value));
      if (reply === undefined) return;
      const statement = replyStatement(new Uint8Array(32), reply);
      const signature = onlyFaults(() => binaryMember(reply.signature, 'signature'));
      if (signature !== undefined) {
        assert.equal(peerKey(HOST.publicPem).verify(statement, signature), false);
      }
    }),
    { numRuns: 1000 },
  );
});

test('encrypted boxes and ephemeral keys', () => {
  fc.assert(
    fc.property(bytes, bytes, (encrypted, associated) => {
      assert.equal(
        onlyFaults(() => decryptOnce(new Uint8Array(32).fill(1), encrypted, associated)),
        undefined,
      );
      onlyFaults(() => sharedSecret(new Uint8Array(32).fill(3), encrypted));
    }),
    { numRuns: 500 },
  );
});

test('wrapped secrets, in both forms of the keys', async () => {
  const payer = payerKeyring.read(pem('payer-0'));
  const some = fc.oneof(bytes, fc.uint8Array({ minLength: 512, maxLength: 512 }));
  await fc.assert(
    fc.asyncProperty(some, async (wrapped) => {
      for (const keys of [payer, HOST]) {
        await assert.rejects(keys.unwrap(wrapped), (error) => isFault(error));
      }
    }),
    { numRuns: 30 },
  );
});

test('private keys of a payer from its store', () => {
  fc.assert(
    fc.property(fc.oneof(texts, mangled(pem('payer-0'))), (source) => {
      onlyFaults(() => payerKeyring.read(source));
    }),
    { numRuns: 200 },
  );
});
