/**
 * The services of a host as the compiler knows them: `tollcall types HOST` writes them down, and
 * `payer.connect<Services>(...)` makes every call to that host typed. They exist for the compiler
 * only: what a host really answers is checked by nobody here.
 * @module
 */
import type { Json } from '../base/json/index.ts';
import type { Link } from './link.ts';

/** What a service takes and gives. */
export interface ServiceTypes {
  readonly input: unknown;
  readonly output: unknown;
}

/** Services by name. An interface will do: it needs no index signature. */
export type ServiceMap<Services> = { readonly [Name in keyof Services]: ServiceTypes };

/** Services of which nothing is known. */
export interface AnyServices {
  readonly [service: string]: { readonly input: Json; readonly output: Json };
}

/** A link to a host that sells these services. */
export interface TypedLink<Services> extends Link {
  /** For the compiler only: it is never there. */
  readonly '~services'?: Services;
}
