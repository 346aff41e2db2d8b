/**
 * Chains of certificates, good and bad.
 * @module
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { fixtureHostKeys, pem, privateKey } from '../../../test/fixtures/keys.ts';
import {
  certificate,
  type CertificateOptions,
  type Certified,
} from '../../../test/fixtures/certificates.ts';
import { unixMs } from '../../base/time/index.ts';
import { checkCertificates, type CertificateCheck } from './index.ts';
import { MAX_CERTIFICATES } from './limits.ts';

const { fingerprint } = await fixtureHostKeys();
const HOST = 'quotes.example';
/** In 2030. */
const NOW = unixMs(1_900_000_000_000);
const USAGE = { signature: 1, encipherment: 4, certificates: 32 } as const;
const SERVER = '1.3.6.1.5.5.7.3.1';
const CLIENT = '1.3.6.1.5.5.7.3.2';

const root = certificate({ name: 'root', ca: true, usage: USAGE.certificates });
const middle = certificate({ name: 'middle', issuer: root, ca: true, pathLength: 0 });
const other = certificate({ name: 'other root', ca: true });

function leaf(issuer: Certified, change: Partial<CertificateOptions> = {}): Certified {
  const key = privateKey('host-0');
  return certificate({ name: 'a host', issuer, key, dns: [HOST], ...change });
}

function chain(...certified: readonly Certified[]): string {
  return certified.map((one) => one.pem).join('\n');
}

function check(certificates: string, change: Partial<CertificateCheck> = {}): Promise<void> {
  const asked = { caPem: root.pem, name: HOST, fingerprint, nowMs: NOW };
  return checkCertificates({ certificates, ...asked, ...change });
}

test('a CA vouches for a host, itself or through others', async () => {
  await check(chain(leaf(root)));
  await check(chain(leaf(middle), middle));
  await check(chain(leaf(middle), middle, root));
  await check(chain(leaf(middle)), { caPem: middle.pem });
  await check(chain(leaf(root)), { caPem: other.pem + root.pem });
});

test('what a certificate may be used for is respected, where it says so', async () => {
  const both = USAGE.signature | USAGE.encipherment;
  await check(chain(leaf(root, { usage: both, extendedUsage: [SERVER] })));
  await check(chain(leaf(root, { extendedUsage: [CLIENT, SERVER] })));
  await refuse(chain(leaf(root, { usage: USAGE.signature })), /key usage/);
  await refuse(chain(leaf(root, { usage: USAGE.encipherment })), /key usage/);
  await refuse(chain(leaf(root, { extendedUsage: [CLIENT] })), /servers/);
  const mail = certificate({ name: 'mail', issuer: root, ca: true, extendedUsage: [CLIENT] });
  await refuse(chain(leaf(mail), mail), /not one for servers/);
  const signer = certificate({ name: 'signer', issuer: root, ca: true, usage: USAGE.signature });
  await refuse(chain(leaf(signer), signer), /CA/);
});

test('the name is that of the address, or the one that was given', async () => {
  await check(chain(leaf(root, { dns: ['*.quotes.example'] })), { name: 'eu.quotes.example' });
  await check(chain(leaf(root, { dns: [], ips: ['127.0.0.1'] })), { name: '127.0.0.1' });
  await check(chain(leaf(root, { dns: [], ips: ['::1'] })), { name: '::1' });
  await refuse(chain(leaf(root, { dns: ['other.example'] })), /another name/);
  await refuse(chain(leaf(root, { dns: ['*.quotes.example'] })), /another name/);
  await refuse(chain(leaf(root, { dns: ['q*.example'] })), /another name/);
  const below = chain(leaf(root, { dns: ['eu.quotes.example'] }));
  for (const name of ['.quotes.example', 'eu.quotes.example\0', '']) {
    await refuse(below, /another name/, { name });
  }
  await refuse(chain(leaf(root, { dns: [], name: HOST })), /another name/);
  await refuse(chain(leaf(root, { dns: ['127.0.0.1'] })), /another name/, { name: '127.0.0.1' });
});

test('a chain that does not lead to the CA is refused', async () => {
  const impostor = certificate({ name: 'root', ca: true });
  const plain = certificate({ name: 'plain', issuer: root });
  const not = certificate({ name: 'not', issuer: root, ca: false });
  await refuse('', /no certificate/);
  await refuse(chain(leaf(middle)), /lead/);
  await refuse(chain(leaf(root)), /lead/, { caPem: other.pem });
  await refuse(chain(leaf(impostor)), /lead/);
  await refuse(chain(leaf(impostor), impostor), /lead/);
  await refuse(chain(leaf(middle), other, middle), /lead/);
  await refuse(chain(leaf(plain), plain), /CA/);
  await refuse(chain(leaf(not), not), /CA/);
  // Trusted for nothing but itself.
  const alone = certificate({ name: 'a host', key: privateKey('host-0'), dns: [HOST] });
  await refuse(alone.pem, /CA/, { caPem: alone.pem });
});

test('a CA certifies as deep as it may', async () => {
  const deeper = certificate({ name: 'deeper', issuer: middle, ca: true });
  await refuse(chain(leaf(deeper), deeper, middle), /too long/);
  const one = certificate({ name: 'one', ca: true, pathLength: 1 });
  const below = certificate({ name: 'below', issuer: one, ca: true });
  await check(chain(leaf(below), below), { caPem: one.pem });
  await refuse(chain(leaf(certificate({ name: 'x', issuer: below, ca: true }))), /lead/);
});

test('each certificate of the chain has to be valid now', async () => {
  const old = certificate({ name: 'old', issuer: root, ca: true, to: 2025 });
  await refuse(chain(leaf(root, { from: 2031 })), /not valid now/);
  await refuse(chain(leaf(root, { to: 2030 })), /not valid now/);
  await refuse(chain(leaf(old), old), /not valid now/);
  const ended = certificate({ name: 'ended', ca: true, to: 2025 });
  await refuse(chain(leaf(ended)), /not valid now/, { caPem: ended.pem });
  await check(chain(leaf(ended)), { caPem: ended.pem, nowMs: unixMs(1_700_000_000_000) });
});

test('what is not understood, or weak, is refused', async () => {
  await refuse(chain(leaf(root, { extensions: ['1.2.3.4'] })), /not understood/);
  await refuse(chain(leaf(root, { extensions: ['2.5.29.30'] })), /not understood/);
  await refuse(chain(leaf(root, { sha1: true })), /too weak/);
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const weak = certificate({ name: 'weak', ca: true, key: small });
  await refuse(chain(leaf(weak)), /key of the chain is too weak/, { caPem: weak.pem });
});

test('the chain is for this very key', async () => {
  const certified = certificate({
    name: 'h',
    issuer: root,
    key: privateKey('host-1'),
    dns: [HOST],
  });
  await refuse(chain(certified), /another key/);
  await refuse(chain(middle, leaf(middle)), /another key/);
});

test('garbage is refused, and too much of it', async () => {
  const good = chain(leaf(root));
  for (const text of ['x', pem('host-0'), good.replaceAll('A', 'B'), good.slice(0, 300)]) {
    await refuse(text, /./);
  }
  const many = Array.from({ length: MAX_CERTIFICATES }, () => middle);
  await refuse(chain(leaf(middle), ...many), /cannot be read/);
  await refuse(`${good}${' '.repeat(30_000)}`, /too large/);
  for (const caPem of ['', 'x', pem('host-0'), root.pem.replaceAll('A', 'B')]) {
    await assert.rejects(check(good, { caPem }), { code: 'CONFIG_INVALID' });
  }
});

async function refuse(
  certificates: string,
  problem: RegExp,
  change: Partial<CertificateCheck> = {},
): Promise<void> {
  await assert.rejects(check(certificates, change), (error: { code: string; facts: object }) => {
    assert.equal(error.code, 'HOST_CERTIFICATE');
    assert.match(JSON.stringify(error.facts), problem);
    return true;
  });
}
