/**
 * A short form of `npm run load`: the host stands, and an honest payer is served meanwhile.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadRun } from './run.ts';

test('crowds that hold on or hurry do not keep an honest payer from being served', async (t) => {
  const reports = await loadRun({ holding: 500, hurrying: 24, seconds: 1, rounds: 1 });
  for (const report of reports) {
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.calls > 0, report.manner);
  }
});
