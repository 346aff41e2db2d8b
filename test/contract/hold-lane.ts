/**
 * A process that shares a payer's store with others, takes a lane for a long time, and says so.
 * @module
 */
import { unixMs } from '../../src/base/time/index.ts';
import { openPayerStore } from '../../src/port/store/index.ts';
import { hex } from './store-fixtures.ts';

const [file = ''] = process.argv.slice(2);
const store = await openPayerStore({ file });
const lease = { lane: hex(1, 16), holder: hex(2, 16), untilMs: unixMs(1_000_000) };
const { kind } = await store.takeLane({ ...lease, nowMs: unixMs(0) });
await store.extendLane(lease, 4_096);
process.send?.(kind);
// The channel keeps this process alive, and this the store; without the test both can go.
process.on('disconnect', () => void store.close().finally(() => process.exit(0)));
