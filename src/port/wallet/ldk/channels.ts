/**
 * Opens, lists and closes channels.
 * @module
 */
import {
  ChannelId,
  ClosureReason_CounterpartyForceClosed,
  ClosureReason_DisconnectedPeer,
  ClosureReason_ProcessingError,
  type APIError,
  type ChannelDetails,
  type ClosureReason,
  type Event_ChannelClosed,
  type Event_ChannelPending,
  type Event_FundingGenerationReady,
} from 'lightningdevkit';
import { fromHex, readU64, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import { msat, sat } from '../../../base/money/index.ts';
import { systemRandom } from '../../../base/random/index.ts';
import type { Clock } from '../../../base/time/index.ts';
import type { Coin } from '../../chain/index.ts';
import { MAX_REASON_CHARS, OPEN_CHANNEL_MS } from '../limits.ts';
import type { Channel, ChannelRequest } from './api.ts';
import { guarded } from './guard.ts';
import type { Lightning } from './lightning.ts';
import type { Onchain } from './onchain.ts';
import { flag, from128Bits, optional } from './wasm.ts';

/** The channels of a node. */
export interface Channels {
  /** Opens a channel to a connected peer; resolves once it can carry payments. */
  open(request: ChannelRequest): Promise<Channel>;
  list(): readonly Channel[];
  close(channelId: string, force: boolean): void;
  fundingReady(event: Event_FundingGenerationReady): void;
  /** The funding transaction is signed by both, and goes out with this commit. */
  pending(event: Event_ChannelPending): void;
  closed(event: Event_ChannelClosed): void;
  /** Resolves openings whose channel is usable now. */
  check(): void;
}

interface Opening {
  readonly coins: readonly Coin[];
  readonly resolve: (channel: Channel) => void;
  readonly reject: (fault: Fault) => void;
  /** The funding transaction was sent: the coins are spent. */
  sent: boolean;
}

/** Opens the channels. */
export function openChannels(
  lightning: Lightning,
  onchain: Onchain,
  { clock, wake }: { clock: Clock; wake: () => void },
): Channels {
  const { manager } = lightning;
  const openings = new Map<bigint, Opening>();
  const end = (id: bigint, fault: Fault): void => {
    const opening = openings.get(id);
    openings.delete(id);
    if (!opening) return;
    if (!opening.sent) onchain.release(opening.coins);
    opening.reject(fault);
  };
  const giveUp = (id: bigint): void => {
    const opening = openings.get(id);
    if (!opening) return;
    const { sent } = opening;
    end(id, sent ? new Fault('CHANNEL_UNCONFIRMED') : refused('the peer did not answer in time'));
    if (!sent) abort(lightning, id);
    wake();
  };
  return {
    open: async ({ peer, amountSat, pushMsat = 0n, timeoutMs = OPEN_CHANNEL_MS }) => {
      const coins = await onchain.reserve(amountSat);
      // Not counted from one: LDK keeps the ids of channels that earlier processes opened.
      const id = readU64(systemRandom.bytes(8), 0);
      const peerId = fromHex(peer.nodeId, 'nodeId');
      const opened = new Promise<Channel>((resolve, reject) => {
        openings.set(id, { coins, resolve, reject, sent: false });
      });
      const result = manager.create_channel(peerId, amountSat, pushMsat, id, null, null);
      if (!result.is_ok()) end(id, refused(apiReason(result)));
      wake();
      const cancel = clock.timer(
        timeoutMs,
        guarded(() => giveUp(id)),
      );
      return await opened.finally(cancel);
    },
    list: () => manager.list_channels().map(channelOf),
    close: (channelId, force) => close(lightning, channelId, force),
    fundingReady: (event) => {
      const id = from128Bits(event.user_channel_id);
      const opening = openings.get(id);
      const { temporary_channel_id: channelId, counterparty_node_id: peerId } = event;
      if (!opening) {
        manager.force_close_without_broadcasting_txn(channelId, peerId, 'not asked for');
        return;
      }
      const amountSat = sat(event.channel_value_satoshis);
      const tx = onchain.fund(opening.coins, event.output_script, amountSat);
      const result = manager.funding_transaction_generated(channelId, peerId, tx);
      if (!result.is_ok()) end(id, refused(apiReason(result)));
    },
    pending: (event) => {
      const opening = openings.get(from128Bits(event.user_channel_id));
      if (opening) opening.sent = true;
    },
    closed: (event) =>
      end(from128Bits(event.user_channel_id), refused(closureReason(event.reason))),
    check: () => resolveUsable(lightning, openings),
  };
}

function resolveUsable({ manager }: Lightning, openings: Map<bigint, Opening>): void {
  if (openings.size === 0) return;
  for (const details of manager.list_usable_channels()) {
    const id = from128Bits(details.get_user_channel_id());
    const opening = openings.get(id);
    openings.delete(id);
    opening?.resolve(channelOf(details));
  }
}

function close({ manager }: Lightning, channelId: string, force: boolean): void {
  const details = manager.list_channels().find((channel) => idOf(channel) === channelId);
  if (!details) throw new Fault('CHANNEL_UNKNOWN', { channelId });
  const id = ChannelId.constructor_new(fromHex(channelId, 'channelId'));
  const peerId = details.get_counterparty().get_node_id();
  const result = force
    ? manager.force_close_broadcasting_latest_txn(id, peerId, 'closed by its owner')
    : manager.close_channel(id, peerId);
  if (!result.is_ok()) throw refused(apiReason(result));
}

/** Ends an opening whose funding transaction was not sent. */
function abort({ manager }: Lightning, userChannelId: bigint): void {
  for (const details of manager.list_channels()) {
    if (from128Bits(details.get_user_channel_id()) !== userChannelId) continue;
    const peerId = details.get_counterparty().get_node_id();
    manager.force_close_without_broadcasting_txn(details.get_channel_id(), peerId, 'took too long');
  }
}

function refused(reason: string): Fault {
  return new Fault('CHANNEL_REFUSED', { reason: printable(reason) });
}

/** LDK's own sentence about a call it did not accept. */
function apiReason(result: object): string {
  const error = 'err' in result ? (result.err as APIError) : undefined;
  return error && 'err' in error && typeof error.err === 'string' ? error.err : 'not possible now';
}

function closureReason(reason: ClosureReason): string {
  if (reason instanceof ClosureReason_CounterpartyForceClosed) {
    return `the peer said: ${reason.peer_msg.get_a()}`;
  }
  if (reason instanceof ClosureReason_ProcessingError) return reason.err;
  if (reason instanceof ClosureReason_DisconnectedPeer) return 'the peer went away';
  return 'the channel was closed';
}

/** A peer's text, cut and without control characters. */
function printable(sentence: string): string {
  return sentence.slice(0, MAX_REASON_CHARS).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

function channelOf(details: ChannelDetails): Channel {
  const reserveSat = optional(details.get_unspendable_punishment_reserve()) ?? 0n;
  const outboundMsat = details.get_outbound_capacity_msat();
  return {
    channelId: idOf(details),
    peerId: toHex(details.get_counterparty().get_node_id()),
    capacitySat: sat(details.get_channel_value_satoshis()),
    localMsat: msat(outboundMsat + reserveSat * 1000n),
    sendableMsat: msat(details.get_next_outbound_htlc_limit_msat()),
    receivableMsat: msat(details.get_inbound_capacity_msat()),
    usable: flag(details.get_is_usable()),
  };
}

function idOf(details: ChannelDetails): string {
  return toHex(details.get_channel_id().get_a());
}
