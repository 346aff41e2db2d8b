/**
 * A process that opens a host's store, commits a session, says so, and holds the file.
 * @module
 */
import { openHostStore } from '../../src/port/store/index.ts';
import { terms } from './store-fixtures.ts';

const [file = ''] = process.argv.slice(2);
const store = await openHostStore({ file, thread: true });
await store.commit([{ open: terms(1) }]);
process.send?.('open');
// The channel keeps this process alive; without the test there is no reason to go on.
process.on('disconnect', () => process.exit(0));
