/**
 * Puts LDK's parts together: from nothing, or from what the database holds.
 * @module
 */
import {
  BestBlock,
  BroadcasterInterface,
  ChainMonitor,
  ChainParameters,
  ChannelManager,
  ChannelMonitorUpdateStatus,
  DefaultMessageRouter,
  DefaultRouter,
  FeeEstimator,
  IgnoringMessageHandler,
  KeysManager,
  Logger,
  MultiThreadedLockableScore,
  Network,
  NetworkGraph,
  OnionMessenger,
  Option_FilterZ,
  Option_UtxoLookupZ,
  P2PGossipSync,
  PeerManager,
  Persist,
  ProbabilisticScorer,
  ProbabilisticScoringDecayParameters,
  ProbabilisticScoringFeeParameters,
  UtilMethods,
  type ChannelMonitor,
  type MessageRouter,
  type OutPoint,
  type Router,
  type TwoTuple_ThirtyTwoBytesChannelManagerZ,
  type TwoTuple_ThirtyTwoBytesChannelMonitorZ,
} from 'lightningdevkit';
import { toHex } from '../../../base/bytes/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import type { Block } from '../../chain/index.ts';
import { userConfig } from './config.ts';
import { guarded } from './guard.ts';
import { bytes } from '../rows.ts';
import type { State } from './state.ts';
import { okOf } from './wasm.ts';

/** Fee rate of all our transactions, in satoshis per 1000 weight units: just above 1 sat/vB. */
export const FEERATE_SAT_PER_KW = 253;

/** What LDK calls out to. Plain functions; they are made safe here. */
export interface LightningHooks {
  readonly saveMonitor: (funding: string, monitor: Uint8Array) => void;
  readonly broadcast: (txs: readonly Uint8Array[]) => void;
}

/** LDK's parts that everything below reads from and a peer or chain never touches. */
export interface Foundation {
  readonly keys: KeysManager;
  readonly logger: Logger;
  readonly fees: FeeEstimator;
  readonly broadcaster: BroadcasterInterface;
  readonly chainMonitor: ChainMonitor;
  readonly graph: NetworkGraph;
  readonly router: Router;
  readonly messageRouter: MessageRouter;
  /** LDK holds our objects weakly: what stands here stays alive. */
  readonly retained: readonly unknown[];
}

/** A node whose parts are connected. */
export interface Lightning extends Foundation {
  readonly manager: ChannelManager;
  readonly peers: PeerManager;
  /** Monitors read from the database, to be brought to the tip and then given to `watch`. */
  readonly monitors: readonly ChannelMonitor[];
}

/** Makes the parts that do not depend on what the node did before. */
export function openFoundation(seed: Uint8Array, clock: Clock, hooks: LightningHooks): Foundation {
  const startedMs = clock.now();
  const logger = Logger.new_impl({ log: () => undefined });
  const fees = FeeEstimator.new_impl({ get_est_sat_per_1000_weight: () => FEERATE_SAT_PER_KW });
  const broadcaster = BroadcasterInterface.new_impl({
    broadcast_transactions: guarded(hooks.broadcast),
  });
  const persist = Persist.new_impl(persistence(hooks));
  const keys = KeysManager.constructor_new(
    seed,
    BigInt(Math.floor(startedMs / 1000)),
    Math.floor((startedMs % 1000) * 1e6),
  );
  const noFilter = Option_FilterZ.constructor_none();
  const graph = NetworkGraph.constructor_new(Network.LDKNetwork_Regtest, logger);
  const decay = ProbabilisticScoringDecayParameters.constructor_default();
  const scorer = ProbabilisticScorer.constructor_new(decay, graph, logger);
  const scores = MultiThreadedLockableScore.constructor_new(scorer.as_Score());
  const entropy = keys.as_EntropySource();
  const feeParams = ProbabilisticScoringFeeParameters.constructor_default();
  const router = DefaultRouter.constructor_new(
    graph,
    logger,
    entropy,
    scores.as_LockableScore(),
    feeParams,
  );
  const messageRouter = DefaultMessageRouter.constructor_new(graph, entropy);
  return {
    keys,
    logger,
    fees,
    broadcaster,
    chainMonitor: ChainMonitor.constructor_new(noFilter, broadcaster, logger, fees, persist),
    graph,
    router: router.as_Router(),
    messageRouter: messageRouter.as_MessageRouter(),
    retained: [persist, scorer, scores, router, messageRouter],
  };
}

function persistence({ saveMonitor }: LightningHooks): Parameters<typeof Persist.new_impl>[0] {
  const save = guarded((funding: OutPoint, monitor: ChannelMonitor) => {
    saveMonitor(`${toHex(funding.get_txid())}:${funding.get_index()}`, monitor.write());
    // "Completed" although it is not durable yet: nothing leaves the process before the commit.
    return ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
  });
  return {
    persist_new_channel: save,
    update_persisted_channel: (funding, _update, monitor) => save(funding, monitor),
    archive_persisted_channel: () => undefined,
  };
}

/** Makes the manager, as it was when the database was written, or new at the tip of the chain. */
export function openLightning(base: Foundation, state: State, tip: Block | undefined): Lightning {
  const monitors = readMonitors(base, state);
  const stored = state.get(`SELECT value FROM meta WHERE key = 'manager'`);
  const manager = stored
    ? readManager(base, bytes(stored, 'value'), monitors)
    : newManager(base, tip);
  const ignoring = IgnoringMessageHandler.constructor_new();
  const noLookup = Option_UtxoLookupZ.constructor_none();
  const gossip = P2PGossipSync.constructor_new(base.graph, noLookup, base.logger);
  const entropy = base.keys.as_EntropySource();
  const onion = OnionMessenger.constructor_new(
    entropy,
    base.keys.as_NodeSigner(),
    base.logger,
    manager.as_NodeIdLookUp(),
    base.messageRouter,
    manager.as_OffersMessageHandler(),
    ignoring.as_AsyncPaymentsMessageHandler(),
    ignoring.as_DNSResolverMessageHandler(),
    ignoring.as_CustomOnionMessageHandler(),
  );
  const peers = PeerManager.constructor_new(
    manager.as_ChannelMessageHandler(),
    gossip.as_RoutingMessageHandler(),
    onion.as_OnionMessageHandler(),
    ignoring.as_CustomMessageHandler(),
    tip ? headerTimeSeconds(tip) : 0,
    entropy.get_secure_random_bytes(),
    base.logger,
    base.keys.as_NodeSigner(),
  );
  const retained = [...base.retained, ignoring, gossip, onion];
  return { ...base, manager, peers, monitors, retained };
}

/** Hands the monitors, now at the tip, to the chain monitor: before any event is taken. */
export function watch({ chainMonitor, monitors }: Lightning): void {
  for (const monitor of monitors) {
    okOf(
      chainMonitor.as_Watch().watch_channel(monitor.get_funding_txo().get_a(), monitor),
      'watch',
    );
  }
}

/** The time in a block's header. */
export function headerTimeSeconds({ header }: Block): number {
  return new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(68, true);
}

function newManager(base: Foundation, tip: Block | undefined): ChannelManager {
  const best = tip
    ? BestBlock.constructor_new(tip.hash, tip.heightBlocks)
    : BestBlock.constructor_from_network(Network.LDKNetwork_Regtest);
  return ChannelManager.constructor_new(
    base.fees,
    base.chainMonitor.as_Watch(),
    base.broadcaster,
    base.router,
    base.messageRouter,
    base.logger,
    base.keys.as_EntropySource(),
    base.keys.as_NodeSigner(),
    base.keys.as_SignerProvider(),
    userConfig(),
    ChainParameters.constructor_new(Network.LDKNetwork_Regtest, best),
    tip ? headerTimeSeconds(tip) : 0,
  );
}

function readManager(
  base: Foundation,
  serialized: Uint8Array,
  monitors: ChannelMonitor[],
): ChannelManager {
  const result = UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelManagerZ_read(
    serialized,
    base.keys.as_EntropySource(),
    base.keys.as_NodeSigner(),
    base.keys.as_SignerProvider(),
    base.fees,
    base.chainMonitor.as_Watch(),
    base.broadcaster,
    base.router,
    base.messageRouter,
    base.logger,
    userConfig(),
    monitors,
  );
  return okOf<TwoTuple_ThirtyTwoBytesChannelManagerZ>(result, 'manager does not decode').get_b();
}

function readMonitors({ keys }: Foundation, state: State): ChannelMonitor[] {
  return state.all('SELECT bytes FROM monitor ORDER BY funding').map((row) => {
    const result = UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelMonitorZ_read(
      bytes(row, 'bytes'),
      keys.as_EntropySource(),
      keys.as_SignerProvider(),
    );
    return okOf<TwoTuple_ThirtyTwoBytesChannelMonitorZ>(result, 'monitor does not decode').get_b();
  });
}
