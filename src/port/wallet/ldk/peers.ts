/**
 * Remembers the peers that were connected to once, and connects to them again when they are gone.
 * @module
 */
import type { PeerManager } from 'lightningdevkit';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import type { NodeAddress } from './api.ts';
import type { Bridge } from './bridge.ts';
import { integer, text } from '../rows.ts';
import type { State } from './state.ts';

const RECONNECT_MS = 100;
const HANDSHAKE_MS = 10_000;
const POLL_MS = 5;

/** The remembered peers. */
export interface Peers {
  /** Remembers a peer; resolves once it is connected. @throws Fault `HOST_UNREACHABLE` */
  connect(peer: NodeAddress): Promise<void>;
  /** Starts to keep the remembered peers connected. */
  keep(): void;
  stop(): void;
}

/** Opens the remembered peers. */
export function openPeers(options: {
  peers: PeerManager;
  bridge: Bridge;
  state: State;
  clock: Clock;
  wake: () => void;
}): Peers {
  const { peers, bridge, state, clock, wake } = options;
  const dialling = new Set<string>();
  const known = new Map(remembered(state).map((peer) => [peer.nodeId, peer]));
  let stopped = false;
  const connected = (nodeId: string): boolean =>
    peers.list_peers().some((peer) => toHex(peer.get_counterparty_node_id()) === nodeId);
  const dial = async ({ nodeId, host, port }: NodeAddress): Promise<void> => {
    if (dialling.has(nodeId) || connected(nodeId) || stopped) return;
    dialling.add(nodeId);
    try {
      const link = await bridge.connect(host, port, fromHex(nodeId, 'nodeId'));
      const until = clock.monotonicMs() + HANDSHAKE_MS;
      while (link && !link.gone && !connected(nodeId) && clock.monotonicMs() < until) {
        await clock.sleep(POLL_MS);
      }
    } finally {
      dialling.delete(nodeId);
    }
  };
  const keep = (): void => {
    if (stopped) return;
    for (const peer of known.values()) void dial(peer);
    clock.timer(RECONNECT_MS, keep);
  };
  return {
    keep,
    connect: async (peer) => {
      const { nodeId, host, port } = peer;
      const sql = 'INSERT OR REPLACE INTO peer (node_id, host, port) VALUES (?, ?, ?)';
      state.run(sql, nodeId, host, BigInt(port));
      known.set(nodeId, peer);
      wake();
      await dial(peer);
      if (!connected(nodeId)) throw new Fault('HOST_UNREACHABLE', { nodeId });
    },
    stop: () => {
      stopped = true;
    },
  };
}

function remembered(state: State): NodeAddress[] {
  return state.all('SELECT * FROM peer').map((row) => ({
    nodeId: text(row, 'node_id'),
    host: text(row, 'host'),
    port: Number(integer(row, 'port')),
  }));
}
