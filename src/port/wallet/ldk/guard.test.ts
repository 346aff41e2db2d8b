/**
 * A trap inside WebAssembly ends the node's process, and says nothing that is secret; the wallet
 * starts it again, as after a kill.
 * @module
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { EXIT_BROKEN } from './guard.ts';

/** (module (func (export "f") unreachable)) */
const TRAP = '0061736d0100000001040160000003020100070501016600000a05010300000b';

function child(body: string): { status: number | null; stderr: string } {
  const guard = new URL('./guard.ts', import.meta.url).href;
  const code = `import { guarded } from ${JSON.stringify(guard)};
    const wasm = Buffer.from('${TRAP}', 'hex');
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports;
    ${body}`;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', code], { encoding: 'utf8' });
}

test('a trap in a callback or a timer ends the process with its own code', () => {
  const { status, stderr } = child(
    'setTimeout(guarded(() => f()), 1); setInterval(() => 0, 1000);',
  );
  assert.equal(status, EXIT_BROKEN);
  assert.match(stderr, /node failed: RuntimeError/);
});

test('what the error says stays inside', () => {
  const { status, stderr } = child(`guarded(() => { throw new Error('the seed is 0102'); })();`);
  assert.equal(status, EXIT_BROKEN);
  assert(!stderr.includes('0102'));
});
