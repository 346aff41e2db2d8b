/**
 * The process of a worker. Runs by itself; import nothing from it.
 * @module
 */
import { nodeChannel } from '../../port/workers/index.ts';
import { LINES, serveShop } from './worker-line.ts';
import { WorkerRoom } from './worker-room.ts';

// Ctrl-C goes to every process of a terminal, and a supervisor may do the same: the primary says
// when a worker ends, and how.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const exit = (code: number): never => process.exit(code);
serveShop(
  nodeChannel(process, LINES.shop),
  new WorkerRoom(nodeChannel(process, LINES.lanes), exit),
);
