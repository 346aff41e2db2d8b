/**
 * One Lightning node: LDK, its database, its peers and its pump, in the process of its own.
 * @module
 */
import {
  EventHandler,
  Event_ChannelClosed,
  Event_ChannelPending,
  Event_FundingGenerationReady,
  Event_PaymentClaimable,
  Event_PaymentClaimed,
  Event_PaymentFailed,
  Event_PaymentSent,
  Event_PendingHTLCsForwardable,
  Event_SpendableOutputs,
  Result_NoneReplayEventZ,
  type Event,
} from 'lightningdevkit';
import { toHex, utf8 } from '../../../base/bytes/index.ts';
import { msat, sat } from '../../../base/money/index.ts';
import { systemRandom } from '../../../base/random/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import type { Balance } from '../wallet.ts';
import type { NodeMethods, StartOptions, Started, WalletMethods } from './api.ts';
import { openBridge, type Bridge } from './bridge.ts';
import { openChannels, type Channels } from './channels.ts';
import { openFollower, type Follower } from './follower.ts';
import { guarded } from './guard.ts';
import { openHolds, type Holds } from './holds.ts';
import { openInvoices, type Invoices } from './invoices.ts';
import { openFoundation, openLightning, watch, type Lightning } from './lightning.ts';
import { openOnchain, type Onchain } from './onchain.ts';
import { openPayments, type Payments } from './payments.ts';
import { openPeers, type Peers } from './peers.ts';
import { openPump, type Pump } from './pump.ts';
import { bytes, integer } from '../rows.ts';
import { openState, type State } from './state.ts';
import type { Rpc } from './rpc.ts';

const PEER_TICK_MS = 10_000;
const MANAGER_TICK_MS = 60_000;
const ALIAS_BYTES = 32;

/** A running node. */
export interface Node {
  readonly methods: Omit<NodeMethods, 'start' | 'stop' | 'ping'>;
  readonly pump: Pump;
  readonly started: Started;
  stop(): void;
}

interface Parts {
  readonly lightning: Lightning;
  readonly state: State;
  readonly bridge: Bridge;
  readonly pump: Pump;
  readonly payments: Payments;
  readonly holds: Holds;
  readonly invoices: Invoices;
  readonly channels: Channels;
  readonly onchain: Onchain;
  readonly follower: Follower;
  readonly peers: Peers;
}

/** Starts the node whose database is in `dir`. @throws Fault `STORE_OWNED`, `STORE_NEWER` */
export async function startNode(
  { dir, alias }: StartOptions,
  wallet: Rpc<WalletMethods>,
  clock: Clock,
): Promise<Node> {
  const state = openState(dir);
  const seed = seedOf(state);
  const parts = await assemble({ state, seed, wallet, clock });
  const { lightning, bridge, pump, payments, holds, peers, follower, onchain } = parts;
  for (const monitor of lightning.monitors) await follower.catchUp(monitor);
  await follower.follow();
  watch(lightning);
  pump.turn();
  payments.reconcile();
  holds.resume();
  onchain.unlockUnsent();
  const port = await bridge.listen(portOf(state));
  state.run(`INSERT OR REPLACE INTO meta (key, value) VALUES ('port', ?)`, BigInt(port));
  pump.turn();
  peers.keep();
  tick(parts, { alias, clock });
  return {
    methods: methodsOf(parts),
    pump,
    started: {
      nodeId: toHex(lightning.manager.get_our_node_id()),
      host: '127.0.0.1',
      port,
      fundingScript: onchain.script,
    },
    stop: () => {
      peers.stop();
      lightning.peers.disconnect_all_peers();
      pump.turn();
      pump.stop();
      bridge.close();
      state.close();
    },
  };
}

async function assemble(options: {
  state: State;
  seed: Uint8Array;
  wallet: Rpc<WalletMethods>;
  clock: Clock;
}): Promise<Parts> {
  const { state, seed, wallet, clock } = options;
  let broadcasts: Uint8Array[] = [];
  const monitors = new Map<string, Uint8Array>();
  const base = openFoundation(seed, clock, {
    saveMonitor: (funding, monitor) => monitors.set(funding, monitor),
    broadcast: (txs) => broadcasts.push(...txs.map((tx) => tx.slice())),
  });
  const tip = await wallet.call('block', await wallet.call('height'));
  const lightning = openLightning(base, state, tip);
  const bridge = openBridge(lightning.peers, () => pump.wake());
  const wake = (): void => pump.wake();
  const received = (): void => pump.afterCommit(() => tell(wallet.call('received')));
  const held = (): void => pump.afterCommit(() => tell(wallet.call('held')));
  const source = {
    height: () => wallet.call('height'),
    block: (heightBlocks: number) => wallet.call('block', heightBlocks),
    coins: (script: Uint8Array) => wallet.call('coins', script),
  };
  const onchain = openOnchain(seed, { keys: base.keys, state, source });
  const channels = openChannels(lightning, onchain, { clock, wake });
  const payments = openPayments(lightning, state);
  const holds = openHolds(lightning, state, { clock, wake: held });
  const invoices = openInvoices(lightning, state, { holds, clock, wake: received });
  const applied = (): void => {
    const { manager } = lightning;
    const heightBlocks = manager.current_best_block().get_height();
    broadcasts.push(...onchain.fundings(), ...onchain.sweeps(heightBlocks));
    holds.cancelDue();
    pump.turn();
  };
  const follower = openFollower({ lightning, state, source, applied });
  const work = eventWork(lightning, { channels, payments, invoices, onchain });
  const pump: Pump = openPump({
    state,
    work: () => {
      const more = work();
      channels.check();
      return more;
    },
    save: () => save(lightning, state, monitors),
    release: () => {
      bridge.flush();
      const txs = broadcasts;
      broadcasts = [];
      for (const tx of txs) tell(broadcast(wallet, tx));
    },
  });
  const peers = openPeers({ peers: lightning.peers, bridge, state, clock, wake });
  const money = { payments, holds, invoices, channels, onchain };
  return { lightning, state, bridge, pump, ...money, follower, peers };
}

/** Monitors and manager, together, in the open transaction. */
function save({ manager }: Lightning, state: State, monitors: Map<string, Uint8Array>): void {
  const needed = manager.get_and_clear_needs_persistence();
  if (!needed && monitors.size === 0) return;
  for (const [funding, monitor] of monitors) {
    state.run('INSERT OR REPLACE INTO monitor (funding, bytes) VALUES (?, ?)', funding, monitor);
  }
  monitors.clear();
  const sql = `INSERT OR REPLACE INTO meta (key, value) VALUES ('manager', ?)`;
  state.run(sql, manager.write());
}

function eventWork(
  { manager, chainMonitor, peers }: Lightning,
  parts: Pick<Parts, 'channels' | 'payments' | 'invoices' | 'onchain'>,
): () => boolean {
  let handled = 0;
  // At the start: payments that a crash cut between two attempts are given up by it.
  let forwardable = true;
  const handle = guarded((event: Event) => {
    handled++;
    if (event instanceof Event_PendingHTLCsForwardable) forwardable = true;
    else dispatch(event, parts);
    return Result_NoneReplayEventZ.constructor_ok();
  });
  const handler = EventHandler.new_impl({ handle_event: handle });
  return () => {
    handled = 0;
    manager.as_EventsProvider().process_pending_events(handler);
    chainMonitor.as_EventsProvider().process_pending_events(handler);
    if (forwardable) manager.process_pending_htlc_forwards();
    forwardable = false;
    peers.process_events();
    return handled > 0;
  };
}

function dispatch(
  event: Event,
  {
    channels,
    payments,
    invoices,
    onchain,
  }: Pick<Parts, 'channels' | 'payments' | 'invoices' | 'onchain'>,
): void {
  if (event instanceof Event_PaymentClaimable) invoices.claimable(event);
  else if (event instanceof Event_PaymentClaimed) invoices.claimed(event);
  else if (event instanceof Event_PaymentSent) payments.sent(event);
  else if (event instanceof Event_PaymentFailed) payments.failed(event);
  else if (event instanceof Event_FundingGenerationReady) channels.fundingReady(event);
  else if (event instanceof Event_ChannelPending) channels.pending(event);
  else if (event instanceof Event_ChannelClosed) channels.closed(event);
  else if (event instanceof Event_SpendableOutputs) onchain.sweep(event);
}

function methodsOf(parts: Parts): Node['methods'] {
  const { lightning, payments, holds, invoices, channels, follower, peers } = parts;
  return {
    info: () => ({
      nodeId: toHex(lightning.manager.get_our_node_id()),
      network: 'regtest',
      heightBlocks: lightning.manager.current_best_block().get_height(),
    }),
    balance: () => balanceOf(parts),
    createInvoice: (request) => invoices.create(request),
    pay: (order) => payments.pay(order),
    giveUp: (paymentHash) => payments.giveUp(paymentHash),
    outgoing: (paymentHash) => payments.outgoing(paymentHash),
    incoming: (paymentHash) => invoices.incoming(paymentHash),
    receivedAfter: (cursor, limit) => invoices.receivedAfter(cursor, limit),
    listOutgoing: (cursor, limit) => payments.list(cursor, limit),
    listIncoming: (cursor, limit) => invoices.list(cursor, limit),
    settle: (preimage) => holds.settle(preimage),
    cancel: (paymentHash) => holds.cancel(paymentHash),
    heldAfter: (cursor, limit) => holds.heldAfter(cursor, limit),
    connect: (peer) => peers.connect(peer),
    openChannel: async (request) => {
      await peers.connect(request.peer);
      return await channels.open(request);
    },
    channels: () => channels.list(),
    closeChannel: (channelId, force) => channels.close(channelId, force),
    chainChanged: () => follower.follow(),
  };
}

/**
 * All of it at one moment: from the turn on nothing is awaited. A sweep is made by the turn that
 * follows its block, and LDK no longer counts its coins from that block on.
 */
async function balanceOf({ lightning, channels, onchain, pump }: Parts): Promise<Balance> {
  const { manager, chainMonitor } = lightning;
  const seen = await onchain.look();
  pump.turn();
  const { spendableSat, immatureSat, sweepingSat } = onchain.balance(seen);
  const usable = manager.list_usable_channels();
  const sum = (of: (channel: (typeof usable)[number]) => bigint): bigint =>
    usable.reduce((total, channel) => total + of(channel), 0n);
  const closed = chainMonitor.get_claimable_balances(manager.list_channels());
  const closedSat = closed.reduce((total, part) => total + part.claimable_amount_satoshis(), 0n);
  return {
    sendableMsat: msat(sum((channel) => channel.get_outbound_capacity_msat())),
    receivableMsat: msat(sum((channel) => channel.get_inbound_capacity_msat())),
    onchainSat: spendableSat,
    immatureSat,
    channelsMsat: msat(channels.list().reduce((total, { localMsat }) => total + localMsat, 0n)),
    closingSat: sat(closedSat + sweepingSat),
  };
}

function tick({ lightning, pump }: Parts, { alias, clock }: { alias: string; clock: Clock }): void {
  const name = new Uint8Array(ALIAS_BYTES);
  name.set(utf8(alias).subarray(0, ALIAS_BYTES));
  const every = (ms: number, work: () => void): void => {
    const run = guarded(() => {
      work();
      pump.wake();
      clock.timer(ms, run);
    });
    clock.timer(ms, run);
  };
  every(PEER_TICK_MS, () => lightning.peers.timer_tick_occurred());
  every(MANAGER_TICK_MS, () => {
    lightning.manager.timer_tick_occurred();
    lightning.chainMonitor.rebroadcast_pending_claims();
    lightning.peers.broadcast_node_announcement(new Uint8Array(3), name, []);
  });
}

/** What is only told may fail: the chain is gone, or the wallet, which ends this process. */
function tell(call: Promise<unknown>): void {
  call.catch(() => undefined);
}

async function broadcast(wallet: Rpc<WalletMethods>, tx: Uint8Array): Promise<void> {
  const answer = await wallet.call('submit', tx);
  if (!answer.ok) await wallet.call('refused', answer.txid, answer.reason);
}

function seedOf(state: State): Uint8Array {
  const row = state.get(`SELECT value FROM meta WHERE key = 'seed'`);
  if (row) return bytes(row, 'value');
  const seed = systemRandom.bytes(32);
  state.run(`INSERT INTO meta (key, value) VALUES ('seed', ?)`, seed);
  state.commit();
  return seed;
}

function portOf(state: State): number {
  const row = state.get(`SELECT value FROM meta WHERE key = 'port'`);
  return row ? Number(integer(row, 'value')) : 0;
}
