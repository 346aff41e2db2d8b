/**
 * How our channels are configured.
 * @module
 */
import { MaxDustHTLCExposure, UserConfig } from 'lightningdevkit';

/**
 * The most that may stand in outputs too small to claim on chain. LDK's default follows the fee
 * rate, which at 1 sat/vB refuses payments of 3,000 sat.
 */
const MAX_DUST_EXPOSURE_MSAT = 100_000_000n;
const MINIMUM_DEPTH_BLOCKS = 1;
const PERCENT_IN_FLIGHT = 100;

/** The configuration of every channel. */
export function userConfig(): UserConfig {
  const config = UserConfig.constructor_default();
  const handshake = config.get_channel_handshake_config();
  handshake.set_minimum_depth(MINIMUM_DEPTH_BLOCKS);
  handshake.set_announce_for_forwarding(true);
  handshake.set_max_inbound_htlc_value_in_flight_percent_of_channel(PERCENT_IN_FLIGHT);
  config.set_channel_handshake_config(handshake);
  const limits = config.get_channel_handshake_limits();
  limits.set_force_announced_channel_preference(false);
  config.set_channel_handshake_limits(limits);
  const channel = config.get_channel_config();
  channel.set_max_dust_htlc_exposure(
    MaxDustHTLCExposure.constructor_fixed_limit_msat(MAX_DUST_EXPOSURE_MSAT),
  );
  config.set_channel_config(channel);
  config.set_accept_forwards_to_priv_channels(true);
  return config;
}
