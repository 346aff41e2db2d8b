/**
 * Key files: their modes, their identity over restarts, and what is refused.
 * @module
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pem } from '../../../test/fixtures/keys.ts';
import { openHostKeys, peerKey, readHostKeys } from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'tollcall-keys-'));
after(() => rmSync(root, { recursive: true }));
const fresh = join(root, 'made', 'here');
/** The one RSA key that this file makes. */
const opened = await openHostKeys(fresh);
const mode = (file: string): number => statSync(file).mode & 0o777;

/** A folder with the keys of the fixtures. */
function folder(): string {
  const dir = mkdtempSync(join(root, 'dir-'));
  writeFileSync(join(dir, 'host_key.pem'), pem('host-0'), { mode: 0o600 });
  writeFileSync(join(dir, 'receipt_key.pem'), pem('receipt-0'), { mode: 0o600 });
  return dir;
}

test('keys are made with mode 0600 in a folder of mode 0700, the public one for all', () => {
  assert.deepEqual(readdirSync(fresh).toSorted(), [
    'host_key.pem',
    'host_pub.pem',
    'receipt_key.pem',
  ]);
  assert.equal(mode(fresh), 0o700);
  assert.equal(mode(join(fresh, 'host_key.pem')), 0o600);
  assert.equal(mode(join(fresh, 'receipt_key.pem')), 0o600);
  assert.equal(mode(join(fresh, 'host_pub.pem')), 0o644);
  const shown = peerKey(readFileSync(join(fresh, 'host_pub.pem'), 'utf8'));
  assert.equal(shown.fingerprint, opened.fingerprint);
});

test('two that make a key at the same time have the same one', async () => {
  const dir = folder();
  rmSync(join(dir, 'receipt_key.pem'));
  const both = await Promise.all([openHostKeys(dir), openHostKeys(dir)]);
  assert.deepEqual(both[0].receiptKey, both[1].receiptKey);
  assert.deepEqual((await openHostKeys(dir)).receiptKey, both[0].receiptKey);
  assert.equal(readdirSync(dir).length, 3);
});

test('a host that is opened again is the same host', async () => {
  const again = await openHostKeys(fresh);
  assert.equal(again.fingerprint, opened.fingerprint);
  assert.deepEqual(again.receiptKey, opened.receiptKey);
  assert.deepEqual(again.receiptCertificate, opened.receiptCertificate);
});

test('a private key that others can read is refused, and not changed', async () => {
  for (const file of ['host_key.pem', 'receipt_key.pem']) {
    for (const open of [0o644, 0o640, 0o604, 0o620]) {
      const dir = folder();
      chmodSync(join(dir, file), open);
      await assert.rejects(openHostKeys(dir), { code: 'KEY_EXPOSED' });
      assert.equal(mode(join(dir, file)), open);
    }
  }
});

test('a directory that others can write to is refused', async () => {
  for (const open of [0o770, 0o702, 0o777]) {
    const dir = folder();
    chmodSync(dir, open);
    await assert.rejects(openHostKeys(dir), { code: 'KEY_EXPOSED' });
    await assert.rejects(readHostKeys(dir), { code: 'KEY_EXPOSED' });
  }
  const shared = folder();
  chmodSync(shared, 0o755);
  await openHostKeys(shared);
});

test('behind a symbolic link the mode of the key itself counts', async () => {
  const [dir, elsewhere] = [folder(), join(root, 'elsewhere.pem')];
  renameSync(join(dir, 'host_key.pem'), elsewhere);
  symlinkSync(elsewhere, join(dir, 'host_key.pem'));
  assert.ok(await readHostKeys(dir));
  chmodSync(elsewhere, 0o644);
  await assert.rejects(readHostKeys(dir), { code: 'KEY_EXPOSED' });
});

test(
  'a key that belongs to someone else is refused',
  { skip: process.getuid?.() === 0 ? false : 'needs root' },
  async () => {
    const dir = folder();
    chownSync(join(dir, 'host_key.pem'), 12_345, 12_345);
    await assert.rejects(readHostKeys(dir), { code: 'KEY_EXPOSED' });
    const other = folder();
    chownSync(other, 12_345, 12_345);
    await assert.rejects(readHostKeys(other), { code: 'KEY_EXPOSED' });
  },
);

test('a key of the wrong kind, or none, is refused and kept', async () => {
  const swaps = [
    ['host_key.pem', pem('receipt-0')],
    ['receipt_key.pem', pem('host-1')],
    ['host_key.pem', ''],
    ['receipt_key.pem', 'garbage'],
    ['host_key.pem', pem('host-0').slice(0, 1000)],
  ] as const;
  for (const [file, text] of swaps) {
    const dir = folder();
    writeFileSync(join(dir, file), text);
    await assert.rejects(openHostKeys(dir), { code: 'KEY_MALFORMED' });
    assert.equal(readFileSync(join(dir, file), 'utf8'), text);
  }
});

test('a lost receipt key is made anew; the host stays who it is', async () => {
  const dir = folder();
  const before = await openHostKeys(dir);
  rmSync(join(dir, 'receipt_key.pem'));
  const now = await openHostKeys(dir);
  assert.equal(now.fingerprint, before.fingerprint);
  assert.notDeepEqual(now.receiptKey, before.receiptKey);
});

test('what a crash left behind does no harm', async () => {
  const dir = folder();
  const left = join(dir, `host_pub.pem.${process.pid}.new`);
  writeFileSync(left, 'half', { mode: 0o666 });
  await openHostKeys(dir);
  assert.ok(!existsSync(left));
  assert.match(readFileSync(join(dir, 'host_pub.pem'), 'utf8'), /^-----BEGIN PUBLIC KEY-----/);
});
