/**
 * `npm start`, as a stranger runs it: two real Lightning nodes, one invoice, four calls.
 * @module
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'tollcall.mjs');

function demo(...args: readonly string[]): { stdout: string; stderr: string; left: string[] } {
  const home = mkdtempSync(join(tmpdir(), 'tollcall-e2e-'));
  try {
    const env = { ...process.env, TMPDIR: home, NO_COLOR: '1' };
    const run = spawnSync(process.execPath, [LAUNCHER, 'demo', ...args], { env, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    return { stdout: run.stdout, stderr: run.stderr, left: readdirSync(home) };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

test('demo --json: one JSON object, balanced, four calls served', () => {
  const { stdout, left } = demo('--json');
  assert.deepEqual(JSON.parse(stdout), {
    received_msat: '4000',
    served_msat: '4000',
    reserved_msat: '0',
    credit_msat: '0',
    refunding_msat: '0',
    refunded_msat: '0',
    refund_fees_msat: '0',
    expired_msat: '0',
    unattributed_msat: '0',
    calls: 4,
    receipts_verified: 1,
    balanced: true,
  });
  assert.deepEqual(left, [], 'nothing is left behind');
});

test('demo: shows each call, a replay, a refused code, a failing call, the sheet', () => {
  const { stdout, stderr } = demo();
  assert.equal(stderr, '');
  for (const expected of [
    /✔ payment +one invoice, 4 sat: 4 calls of quotes/,
    /quotes AAPL +227\.48 USD +1 sat/,
    /the same bytes again +the same answer, encrypted +0 sat/,
    /a tampered code +refused: CODE_[A-Z]+ +0 sat/,
    /quotes NOPE +failed, not charged: 3 sat credit kept +0 sat/,
    /received +4,000/,
    /✔ receipt +signed by the host, verified: 4 calls, 4 sat served/,
    /✔ books +balanced/,
  ]) {
    assert.match(stdout, expected);
  }
});

test('demo: stopped by Ctrl-C, it leaves nothing behind', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tollcall-e2e-'));
  const env = { ...process.env, TMPDIR: home, NO_COLOR: '1' };
  const child = spawn(process.execPath, [LAUNCHER, 'demo'], { env });
  try {
    const ended = once(child, 'exit');
    for await (const text of child.stdout.setEncoding('utf8')) {
      if (String(text).includes('nodes')) child.kill('SIGINT');
    }
    assert.deepEqual(await ended, [130, null]);
    assert.deepEqual(readdirSync(home), []);
  } finally {
    child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  }
});
