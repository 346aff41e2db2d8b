/** A private network is kept in its directory, by one owner at a time. @module */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '../../base/fault/index.ts';
import { openNetwork } from './index.ts';

test('one owner at a time; a start that was cut begins anew and removes only its own', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-network-'));
  try {
    writeFileSync(join(dir, 'notes.txt'), 'not ours');
    writeFileSync(join(dir, 'chain.blocks'), 'cut');
    writeFileSync(join(dir, 'unfinished'), '');
    const network = await openNetwork({ dir });
    const { nodeId } = await network.buyer.info();
    await assert.rejects(
      openNetwork({ dir }),
      (error) => isFault(error) && error.code === 'STORE_OWNED',
    );
    await network.close();
    const again = await openNetwork({ dir });
    assert.equal((await again.buyer.info()).nodeId, nodeId);
    assert((await again.buyer.balance()).sendableMsat > 900_000_000n);
    await again.close();
    assert.equal(readFileSync(join(dir, 'notes.txt'), 'utf8'), 'not ours');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
