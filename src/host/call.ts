/**
 * A paid call between its envelope and the counter.
 * @module
 */
import type { Json } from '../base/json/index.ts';
import type { CallBalance } from '../wire/toll/index.ts';

/** A call as it comes out of its envelope. */
export interface Call {
  /** The text of the credential. */
  readonly credential: string;
  readonly service: string;
  readonly input: Json;
  /** It came in a box, and goes back in one. */
  readonly encrypted?: true;
  /** The worker of this host that has passed it on. */
  readonly via?: number | undefined;
  /** Set when another worker has answered it, which counts it. */
  elsewhere?: true;
}

/** What goes back into the envelope. */
export interface CallAnswer {
  /** UTF-8 of a JSON text: the same bytes for each repeat. */
  readonly body: Uint8Array;
  readonly balance: CallBalance;
}
