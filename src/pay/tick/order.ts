/**
 * The lanes that a set-up orders: the payer made them, so it names their anchors and lengths.
 * @module
 */
import { bytes32, fromBase64url, toBase64url } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import type { Json, JsonObject } from '../../base/json/index.ts';
import { MAX_LANES, MAX_LANE_TICKS } from './limits.ts';

/** A lane that is ordered. */
export interface LaneOrder {
  /** x(0): 32 bytes. */
  readonly anchor: Uint8Array;
  readonly length: number;
}

/** The member `lanes` of an order. */
export function printLaneOrders(lanes: readonly LaneOrder[]): readonly JsonObject[] {
  return lanes.map(({ anchor, length }) => ({ anchor: toBase64url(anchor), length }));
}

/**
 * Reads it.
 * @throws Fault `SETUP_MALFORMED`, also for an anchor that occurs twice; `LANE_COUNT`;
 * `LANE_LENGTH`
 */
export function parseLaneOrders(value: Json): readonly LaneOrder[] {
  if (!Array.isArray(value)) throw new Fault('SETUP_MALFORMED', { name: 'lanes' });
  if (value.length < 1 || value.length > MAX_LANES)
    throw new Fault('LANE_COUNT', { max: MAX_LANES });
  const lanes = value.map(laneOrder);
  const anchors = new Set(lanes.map(({ anchor }) => toBase64url(anchor)));
  if (anchors.size < lanes.length) throw new Fault('SETUP_MALFORMED', { name: 'anchor' });
  return lanes;
}

function laneOrder(value: Json): LaneOrder {
  const { anchor, length } = (value ?? {}) as Partial<JsonObject>;
  if (typeof length !== 'number') throw new Fault('SETUP_MALFORMED', { name: 'lanes' });
  if (!Number.isInteger(length) || length < 1 || length > MAX_LANE_TICKS) {
    throw new Fault('LANE_LENGTH', { max: MAX_LANE_TICKS });
  }
  try {
    return { anchor: bytes32(fromBase64url(anchor, 'anchor'), 'anchor'), length };
  } catch {
    throw new Fault('SETUP_MALFORMED', { name: 'anchor' });
  }
}
