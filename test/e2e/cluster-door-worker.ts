/**
 * A process of a cluster that keeps the public door.
 * @module
 */
import { utf8 } from '../../src/base/bytes/index.ts';
import { silentLog } from '../../src/base/log/index.ts';
import { openHttpDoor } from '../../src/door/http/index.ts';

const door = await openHttpDoor(
  { handle: async ({ address }) => ({ status: 200, headers: {}, body: utf8(address) }) },
  { address: '127.0.0.1', port: 0, limits: { connections: 2 } },
  silentLog,
);
process.send?.({ url: door.url });
