/**
 * What a host sells: a service has a name, a price, an effect, schemas and a handler.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { MAX_WAIT_MS } from '../base/time/index.ts';
import type { Effect } from '../pay/ledger/index.ts';
import type { BundlePrice } from '../pay/price/index.ts';
import { SERVICE_NAME, isDescriptionText } from '../wire/toll/index.ts';
import { MAX_BUNDLE_CALLS } from './limits.ts';

/** A validator of any library that follows Standard Schema, version 1. */
export interface Schema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a Standard Schema says about a value. */
export type Validated<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a handler gets besides its input. */
export interface CallContext {
  /** 16 bytes, hex. */
  readonly session: string;
  /** The number of the call in its session: the same for a call that is run again. */
  readonly n: bigint;
  /** Aborts when the call has run out of time or the host stops: what it did is not charged. */
  readonly signal: AbortSignal;
}

/** What a seller declares. */
export interface ServiceOptions<Input, Output> {
  /** At most 1,000 characters. */
  readonly description: string;
  readonly input: Schema<Input>;
  readonly output: Schema<Output>;
  /** What a bundle of calls costs. */
  readonly price: BundlePrice;
  /** `none`: running it again does no harm. `once`: it must not run twice. */
  readonly effect?: Effect;
  /** The most calls that one bundle may hold. */
  readonly maxCalls?: number;
  /** How long one call may take, 1 to `MAX_WAIT_MS`. */
  readonly timeoutMs?: number;
  /**
   * JSON Schema of input and output, for the description; taken from the schemas where they can
   * give it.
   */
  readonly jsonSchema?: { readonly input?: Json; readonly output?: Json };
  /**
   * Returns the result. A thrown Fault `SERVICE_FAILED` is shown to the payer, any other error is
   * not.
   */
  readonly handler: (input: Input, context: CallContext) => Output | Promise<Output>;
}

/** A service, ready to be sold. */
export interface Service {
  readonly name: string;
  readonly description: string;
  readonly price: BundlePrice;
  readonly effect: Effect;
  readonly maxCalls: number;
  readonly timeoutMs: number | undefined;
  readonly jsonSchema: { readonly input?: Json; readonly output?: Json };
  /** Checks the input. @throws Fault `SERVICE_INPUT`; `SERVICE_FAILED` when the schema throws */
  readonly accept: (input: Json) => Promise<unknown>;
  /**
   * Runs the handler on an accepted input and checks what it returns.
   * @throws Fault `SERVICE_FAILED`
   */
  readonly run: (accepted: unknown, context: CallContext) => Promise<Json>;
}

/**
 * Declares a service.
 * @param name lower-case letters, digits and hyphens, at most 64; part of its address
 * @throws Fault `CONFIG_INVALID`
 */
export function service<Input, Output>(
  name: string,
  options: ServiceOptions<Input, Output>,
): Service {
  const { description, input, output, price, handler } = options;
  const maxCalls = options.maxCalls ?? MAX_BUNDLE_CALLS;
  if (!SERVICE_NAME.test(name))
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'name' });
  if (!Number.isInteger(maxCalls) || maxCalls < 1 || maxCalls > MAX_BUNDLE_CALLS) {
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'maxCalls' });
  }
  if (!isDescriptionText(description)) {
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'description' });
  }
  const { timeoutMs } = options;
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs <= MAX_WAIT_MS)) {
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'timeoutMs' });
  }
  return {
    name,
    description,
    price,
    effect: options.effect ?? 'none',
    maxCalls,
    timeoutMs,
    jsonSchema: options.jsonSchema ?? {},
    accept: (value) => accept(input, value),
    run: async (accepted, context) => {
      const result = await settle(() => handler(accepted as Input, context));
      const checked = await settle(() => output['~standard'].validate(result));
      if (checked.issues)
        throw new Fault('SERVICE_FAILED', { reason: 'the result breaks its schema' });
      return checked.value as Json;
    },
  };
}

async function accept(schema: Schema, value: Json): Promise<unknown> {
  const checked = await settle(() => schema['~standard'].validate(value));
  if (checked.issues) {
    throw new Fault('SERVICE_INPUT', { problems: checked.issues.slice(0, 8).map(printIssue) });
  }
  return checked.value;
}

function printIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  return `${path.length === 0 ? 'input' : path.join('.')}: ${issue.message}`.slice(0, 200);
}

/** A seller's code may only fail as SERVICE_FAILED: whatever else it throws stays inside. */
async function settle<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Fault && error.code === 'SERVICE_FAILED') throw error;
    throw new Fault('SERVICE_FAILED', {}, error);
  }
}
