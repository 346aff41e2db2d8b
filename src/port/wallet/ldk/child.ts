/**
 * The entry of a node's process: answers its wallet, and ends when the wallet is gone.
 * @module
 */
import { Fault } from '../../../base/fault/index.ts';
import { systemClock, unixMs, type Clock } from '../../../base/time/index.ts';
import type { NodeMethods, WalletMethods } from './api.ts';
import { fatal } from './guard.ts';
import { startNode, type Node } from './node.ts';
import { openRpc, type Message } from './rpc.ts';
import { loadLdk } from './wasm.ts';

let offsetMs = 0;
/** The wallet's time of day: it comes with each of its calls. */
const clock: Clock = { ...systemClock, now: () => unixMs(systemClock.now() + offsetMs) };

let node: Node | undefined;

const start: NodeMethods['start'] = async (options) => {
  await loadLdk();
  node = await startNode(options, wallet, clock);
  Object.assign(local, node.methods);
  return node.started;
};

const stop = (): void => {
  node?.stop();
  node = undefined;
};

const notStarted = (): never => {
  throw new Fault('WALLET_STOPPED');
};

const local: NodeMethods = {
  start,
  stop,
  ping: () => undefined,
  info: notStarted,
  balance: notStarted,
  createInvoice: notStarted,
  pay: notStarted,
  giveUp: notStarted,
  outgoing: notStarted,
  incoming: notStarted,
  receivedAfter: notStarted,
  listOutgoing: notStarted,
  listIncoming: notStarted,
  settle: notStarted,
  cancel: notStarted,
  heldAfter: notStarted,
  connect: notStarted,
  openChannel: notStarted,
  channels: notStarted,
  closeChannel: notStarted,
  chainChanged: notStarted,
};

const wallet = openRpc<WalletMethods, NodeMethods>({
  local,
  // Nobody to tell any more: `disconnect` follows.
  send: (message) => process.send?.(message, undefined, {}, () => undefined),
  nowMs: () => clock.now(),
  release: (send) => (node ? node.pump.afterCommit(send) : send()),
});

process.on('message', (message: Message) => {
  if (message.kind === 'call') offsetMs = message.nowMs - systemClock.now();
  wallet.receive(message);
  // Whatever the message set off has to be committed and sent.
  node?.pump.wake();
});
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);
process.on('disconnect', () => {
  stop();
  process.exit(0);
});
// The wallet decides when to stop; an interrupt at the terminal reaches the whole group.
process.on('SIGINT', () => undefined);
