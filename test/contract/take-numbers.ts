/**
 * A process that shares a payer's store with others and records calls in one session.
 * @module
 */
import { openPayerStore } from '../../src/port/store/index.ts';
import { hex } from './store-fixtures.ts';

const [file = '', id = ''] = process.argv.slice(2);
const store = await openPayerStore({ file });
const numbers: string[] = [];
for (let i = 0; i < 30; i++) {
  const callId = `${id}-${i}`;
  const recorded = await store.recordCall({
    session: hex(1, 16),
    callId,
    request: new Uint8Array(1),
  });
  if (recorded.kind === 'recorded') numbers.push(recorded.n.toString());
  await store.resolveCall(hex(1, 16), callId, new Uint8Array(1));
}
await store.close();
process.send?.(numbers, () => process.disconnect());
