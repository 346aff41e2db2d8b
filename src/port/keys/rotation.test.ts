/**
 * Rotation on real files: the overlap, theft, and what a crash can leave behind.
 * @module
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pem } from '../../../test/fixtures/keys.ts';
import { unixMs } from '../../base/time/index.ts';
import { receiptKeyStatement } from '../../pay/bundle/index.ts';
import {
  hostKeyFiles,
  openHostKeys,
  peerKey,
  readHostKeys,
  revokeFormerKey,
  rotateHostKeys,
} from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'tollcall-rotation-'));
after(() => rmSync(root, { recursive: true }));
const NOW = unixMs(1_000_000);
const UNTIL = unixMs(1_000_500);
const SECRET = new Uint8Array(32).fill(7);
const ROTATE = { nowMs: NOW, overlapMs: 500, revoke: false };

/** A directory with the keys of the fixtures, and a copy of what it was. */
function folder(): string {
  const dir = mkdtempSync(join(root, 'dir-'));
  writeFileSync(join(dir, 'host_key.pem'), pem('host-0'), { mode: 0o600 });
  writeFileSync(join(dir, 'receipt_key.pem'), pem('receipt-0'), { mode: 0o600 });
  return dir;
}

function copyOf(dir: string): string {
  const copy = mkdtempSync(join(root, 'copy-'));
  cpSync(dir, copy, { recursive: true });
  return copy;
}

const before = folder();
const old = await openHostKeys(before);
/** Rotated once. */
const once = copyOf(before);
const rotated = await rotateHostKeys(once, ROTATE);
/** Rotated twice. */
const twice = copyOf(once);
const again = await rotateHostKeys(twice, { ...ROTATE, nowMs: unixMs(NOW + 100) });

test('a rotation makes new keys and keeps the old ones, each file for its owner alone', () => {
  assert.notEqual(rotated.fingerprint, old.fingerprint);
  assert.notDeepEqual(rotated.receiptKey, old.receiptKey);
  assert.deepEqual(
    rotated.former.map(({ fingerprint, revoked, opensUntilMs }) => [
      fingerprint,
      revoked,
      opensUntilMs,
    ]),
    [[old.fingerprint, false, UNTIL]],
  );
  const files = ['host_key.pem', 'receipt_key.pem', 'succession.json'];
  assert.deepEqual(readdirSync(join(once, 'former', '1')).toSorted(), files);
  for (const name of hostKeyFiles(once)) {
    assert.equal(statSync(join(once, name)).mode & 0o777, 0o600, name);
  }
  assert.equal(statSync(join(once, 'former')).mode & 0o777, 0o700);
  assert.equal(statSync(join(once, 'former', '1')).mode & 0o777, 0o700);
  const shown = peerKey(readFileSync(join(once, 'host_pub.pem'), 'utf8'));
  assert.equal(shown.fingerprint, rotated.fingerprint);
});

test('the old key opens and signs set-ups until its overlap ends; then it is gone', async () => {
  const dir = copyOf(once);
  const [former] = (await openHostKeys(dir)).former;
  const wrapped = peerKey(old.publicPem).wrap(SECRET);
  assert.deepEqual(await former?.unwrap(wrapped), SECRET);
  const keys = await openHostKeys(dir);
  keys.retire(unixMs(UNTIL - 1));
  assert.deepEqual(await keys.former[0]?.unwrap(wrapped), SECRET);
  keys.retire(UNTIL);
  assert.equal(existsSync(join(dir, 'former', '1', 'host_key.pem')), false);
  for (const [known] of [keys.former, (await openHostKeys(dir)).former]) {
    assert.ok(known);
    await assert.rejects(known.unwrap(wrapped), { code: 'SETUP_HOST_KEY' });
    await assert.rejects(known.sign(SECRET), { code: 'SETUP_HOST_KEY' });
    const statement = receiptKeyStatement(known.receiptKey);
    assert.ok(peerKey(old.publicPem).verify(statement, known.receiptCertificate));
    assert.deepEqual(known.signReceipt(SECRET), old.signReceipt(SECRET));
  }
});

test('rotations form a chain', () => {
  const chain = again.former.map(({ succession }) => [succession.from, succession.to]);
  assert.deepEqual(chain, [
    [old.fingerprint, rotated.fingerprint],
    [rotated.fingerprint, again.fingerprint],
  ]);
});

test('wherever a rotation was cut off, the directory opens as one of the two hosts', async () => {
  const done = join(once, 'former', '1');
  const cut = copyOf(before);
  const left = join(cut, 'former', '1.77.new');
  mkdirSync(join(cut, 'former'), { mode: 0o700 });
  for (const files of [[], ['host_key.pem'], readdirSync(done)]) {
    mkdirSync(left, { recursive: true, mode: 0o700 });
    for (const name of files) cpSync(join(done, name), join(left, name));
    assert.equal((await readHostKeys(cut))?.fingerprint, old.fingerprint);
    assert.equal((await openHostKeys(cut)).fingerprint, old.fingerprint);
  }
  cpSync(join(once, 'host_key.pem'), join(left, 'next_host_key.pem'));
  cpSync(join(once, 'receipt_key.pem'), join(left, 'next_receipt_key.pem'));
  writeFileSync(join(cut, 'host_cert.pem'), 'of the old key');
  // The rename of the whole directory is the moment.
  renameSync(left, join(cut, 'former', '1'));
  const steps = [
    (): void => undefined,
    () => renameSync(join(cut, 'host_cert.pem'), join(cut, 'former', '1', 'host_cert.pem')),
    () =>
      renameSync(join(cut, 'former', '1', 'next_receipt_key.pem'), join(cut, 'receipt_key.pem')),
    () => renameSync(join(cut, 'former', '1', 'next_host_key.pem'), join(cut, 'host_key.pem')),
  ];
  for (const step of steps) {
    step();
    assertSameHost(await readHostKeys(cut), rotated);
    const copy = copyOf(cut);
    assertSameHost(await openHostKeys(copy), rotated);
    assert.equal(existsSync(join(copy, 'host_cert.pem')), false);
    assert.ok(!readdirSync(join(copy, 'former', '1')).some((name) => name.startsWith('next_')));
  }
});

function assertSameHost(keys: Awaited<ReturnType<typeof readHostKeys>>, as: typeof rotated): void {
  assert.equal(keys?.fingerprint, as.fingerprint);
  assert.deepEqual(keys.receiptKey, as.receiptKey);
  assert.deepEqual(
    keys.former.map(({ succession, receiptKey }) => [succession, receiptKey]),
    as.former.map(({ succession, receiptKey }) => [succession, receiptKey]),
  );
}

test('of two rotations at once one happens', async () => {
  const dir = copyOf(before);
  const other = { ...ROTATE, nowMs: unixMs(NOW + 1) };
  const both = await Promise.allSettled([rotateHostKeys(dir, ROTATE), rotateHostKeys(dir, other)]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  const keys = await openHostKeys(dir);
  assert.deepEqual(
    keys.former.map(({ fingerprint }) => fingerprint),
    [old.fingerprint],
  );
  assert.deepEqual(readdirSync(join(dir, 'former')), ['1']);
});

test('after a theft nothing of the old key is kept but what its sessions need', async () => {
  const dir = copyOf(before);
  const keys = await rotateHostKeys(dir, { ...ROTATE, revoke: true });
  const [former] = keys.former;
  assert.deepEqual([former?.revoked, former?.opensUntilMs], [true, 0]);
  const files = ['receipt_key.pem', 'revoked', 'succession.json'];
  assert.deepEqual(readdirSync(join(dir, 'former', '1')).toSorted(), files);
});

test('a former key that was stolen takes its ancestors with it', async () => {
  const dir = copyOf(twice);
  await assert.rejects(revokeFormerKey(dir, 'f'.repeat(64), NOW), { code: 'CONFIG_INVALID' });
  await assert.rejects(revokeFormerKey(dir, '', NOW), { code: 'CONFIG_INVALID' });
  await assert.rejects(revokeFormerKey(dir, again.fingerprint, NOW), { code: 'CONFIG_INVALID' });
  const first = await revokeFormerKey(dir, old.fingerprint.slice(0, 12), NOW);
  assert.deepEqual(
    first.former.map(({ revoked }) => revoked),
    [true, false],
  );
  assert.equal(existsSync(join(dir, 'former', '1', 'host_key.pem')), false);
  assert.equal(existsSync(join(dir, 'former', '2', 'host_key.pem')), true);
  const both = await revokeFormerKey(dir, rotated.fingerprint, NOW);
  assert.deepEqual(
    both.former.map(({ revoked }) => revoked),
    [true, true],
  );
});

test('a past that does not lead to the present is refused, and nothing is made', async () => {
  const spoil: readonly ((dir: string) => void)[] = [
    (dir) => rmSync(join(dir, 'former', '1'), { recursive: true }),
    (dir) => rmSync(join(dir, 'host_key.pem')),
    (dir) => writeFileSync(join(dir, 'host_key.pem'), pem('host-1')),
    (dir) => writeFileSync(join(dir, 'former', '2', 'host_key.pem'), pem('host-1')),
    (dir) => writeFileSync(join(dir, 'former', '1', 'succession.json'), '{}'),
    (dir) => writeFileSync(join(dir, 'former', '1', 'succession.json'), 'x'),
    (dir) => changeUntil(join(dir, 'former', '1', 'succession.json')),
    (dir) => writeFileSync(join(dir, 'former', '1', 'receipt_key.pem'), pem('host-1')),
    (dir) => writeFileSync(join(dir, 'host_cert.pem'), 'garbage'),
  ];
  for (const [i, change] of spoil.entries()) {
    const dir = copyOf(twice);
    change(dir);
    const files = readdirSync(dir);
    await assert.rejects(openHostKeys(dir), { code: 'KEY_MALFORMED' }, `${i}`);
    assert.deepEqual(readdirSync(dir), files);
  }
});

function changeUntil(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace(`${UNTIL}`, `${UNTIL + 1}`));
}

test('former private keys that others can read are refused as well', async () => {
  for (const name of ['host_key.pem', 'receipt_key.pem']) {
    const dir = copyOf(once);
    chmodSync(join(dir, 'former', '1', name), 0o640);
    await assert.rejects(openHostKeys(dir), { code: 'KEY_EXPOSED' });
  }
  for (const name of ['former', 'former/1']) {
    const dir = copyOf(once);
    chmodSync(join(dir, name), 0o777);
    await assert.rejects(openHostKeys(dir), { code: 'KEY_EXPOSED' });
  }
});
