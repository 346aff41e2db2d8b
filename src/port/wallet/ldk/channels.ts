/**
 * Opens, lists and closes channels.
 * @module
 */
import {
  ChannelId,
  type ChannelDetails,
  type Event_ChannelClosed,
  type Event_FundingGenerationReady,
} from 'lightningdevkit';
import { fromHex, toHex } from '../../../base/bytes/index.ts';
import { Fault } from '../../../base/fault/index.ts';
import { msat, sat } from '../../../base/money/index.ts';
import type { Coin } from '../../chain/index.ts';
import type { Channel, ChannelRequest } from './api.ts';
import type { Lightning } from './lightning.ts';
import type { Onchain } from './onchain.ts';
import { flag, from128Bits, okOf, optional } from './wasm.ts';

/** The channels of a node. */
export interface Channels {
  /** Opens a channel to a connected peer; resolves once it can carry payments. */
  open(request: ChannelRequest): Promise<Channel>;
  list(): readonly Channel[];
  close(channelId: string, force: boolean): void;
  fundingReady(event: Event_FundingGenerationReady): void;
  closed(event: Event_ChannelClosed): void;
  /** Resolves openings whose channel is usable now. */
  check(): void;
}

interface Opening {
  readonly coins: readonly Coin[];
  readonly resolve: (channel: Channel) => void;
  readonly reject: (fault: Fault) => void;
}

/** Opens the channels. */
export function openChannels(lightning: Lightning, onchain: Onchain, wake: () => void): Channels {
  const { manager } = lightning;
  const openings = new Map<bigint, Opening>();
  let lastId = 0n;
  return {
    open: async ({ peer, amountSat, pushMsat = 0n }) => {
      const coins = await onchain.reserve(amountSat);
      const id = ++lastId;
      const peerId = fromHex(peer.nodeId, 'nodeId');
      const result = manager.create_channel(peerId, amountSat, pushMsat, id, null, null);
      wake();
      if (!result.is_ok()) {
        onchain.release(coins);
        throw new Fault('WALLET_BROKEN', { reason: 'the channel cannot be opened' });
      }
      return await new Promise((resolve, reject) => {
        openings.set(id, { coins, resolve, reject });
      });
    },
    list: () => manager.list_channels().map(channelOf),
    close: (channelId, force) => {
      const details = manager.list_channels().find((channel) => idOf(channel) === channelId);
      if (!details) throw new Fault('WALLET_BROKEN', { reason: 'no such channel' });
      const id = ChannelId.constructor_new(fromHex(channelId, 'channelId'));
      const peerId = details.get_counterparty().get_node_id();
      const result = force
        ? manager.force_close_broadcasting_latest_txn(id, peerId, 'closed by its owner')
        : manager.close_channel(id, peerId);
      okOf(result, 'the channel cannot be closed');
    },
    fundingReady: (event) => {
      const opening = openings.get(from128Bits(event.user_channel_id));
      const { temporary_channel_id: id, counterparty_node_id: peerId } = event;
      if (!opening) {
        manager.force_close_without_broadcasting_txn(id, peerId, 'not asked for');
        return;
      }
      const amountSat = sat(event.channel_value_satoshis);
      const tx = onchain.fund(opening.coins, event.output_script, amountSat);
      okOf(manager.funding_transaction_generated(id, peerId, tx), 'funding');
    },
    closed: (event) => {
      const opening = openings.get(from128Bits(event.user_channel_id));
      if (!opening) return;
      openings.delete(from128Bits(event.user_channel_id));
      onchain.release(opening.coins);
      opening.reject(new Fault('WALLET_BROKEN', { reason: 'the channel was closed' }));
    },
    check: () => {
      if (openings.size === 0) return;
      for (const details of manager.list_usable_channels()) {
        const id = from128Bits(details.get_user_channel_id());
        const opening = openings.get(id);
        openings.delete(id);
        opening?.resolve(channelOf(details));
      }
    },
  };
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
