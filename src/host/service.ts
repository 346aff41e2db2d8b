/**
 * What a host sells: a service has a name, a price, an effect, schemas and a handler.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { MAX_WAIT_MS } from '../base/time/index.ts';
import type { Effect } from '../pay/ledger/index.ts';
import { bundleTotalMsat, type BundlePrice, type CallPrice } from '../pay/price/index.ts';
import { SERVICE_NAME, isDescriptionText } from '../wire/toll/index.ts';
import {
  isPublishable,
  toldSchema,
  type JsonSchemaSource,
  type JsonSchemas,
} from './json-schema.ts';
import { MAX_BUNDLE_CALLS } from './limits.ts';
import { tickOffer, type TickOffer } from './tick-offer.ts';

/** A validator of any library that follows Standard Schema, version 1. */
export interface Schema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    /** Standard JSON Schema: what the library can say about itself. */
    readonly jsonSchema?: JsonSchemaSource | undefined;
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
  /**
   * What a call costs that is paid with ticks. Absent: if `price` is the same for each call, one
   * unit of it. `none`: it is sold by bundles only.
   */
  readonly ticks?: CallPrice<Input> | 'none';
  /** `none`: running it again does no harm. `once`: it must not run twice. */
  readonly effect?: Effect;
  /** The most calls that one bundle may hold. */
  readonly maxCalls?: number;
  /** How long one call may take, 1 to `MAX_WAIT_MS`. */
  readonly timeoutMs?: number;
  /**
   * JSON Schema of input and output, for the description. Absent: asked of `input` and `output`,
   * if their library follows Standard JSON Schema.
   */
  readonly jsonSchema?: JsonSchemas;
  /**
   * Returns the result. A thrown Fault `SERVICE_FAILED` is shown to the payer, any other error is
   * not.
   */
  readonly handler: (input: Input, context: CallContext) => Output | Promise<Output>;
  /**
   * For effect once: what became of a call that a crash of the host has cut. `done` is charged and
   * answered, `not-done` is run again; without it, or with `unknown`, the payer is told
   * `CALL_OUTCOME_UNKNOWN` and nothing is charged.
   */
  readonly recover?: (call: CutCall) => Promise<Recovery<Output>>;
}

/** A call that was cut, by its request id. */
export type CutCall = Pick<CallContext, 'session' | 'n'>;
/** What became of it. */
export type Recovery<Output> = { readonly done: Output } | 'not-done' | 'unknown';

/** A value, or a promise of it where somebody's code takes its time. */
export type Maybe<T> = T | Promise<T>;

/** What a service does, without a promise where schema and handler need none: the hot path. */
export interface ServiceSteps {
  /** As `Service.accept`, but its faults may be thrown at once. */
  readonly accept: (input: Json) => Maybe<unknown>;
  /** As `Service.run`, but its faults may be thrown at once. */
  readonly run: (accepted: unknown, context: CallContext) => Maybe<Json>;
}

/** A service, ready to be sold. */
export interface Service {
  readonly name: string;
  readonly description: string;
  readonly price: BundlePrice;
  /** Undefined when it is not sold by ticks. */
  readonly ticks: TickOffer | undefined;
  readonly effect: Effect;
  readonly maxCalls: number;
  readonly timeoutMs: number | undefined;
  readonly jsonSchema: JsonSchemas;
  /** Checks the input. @throws Fault `SERVICE_INPUT`; `SERVICE_FAILED` when the schema throws */
  readonly accept: (input: Json) => Promise<unknown>;
  /**
   * Runs the handler on an accepted input and checks what it returns.
   * @throws Fault `SERVICE_FAILED`
   */
  readonly run: (accepted: unknown, context: CallContext) => Promise<Json>;
  readonly steps: ServiceSteps;
  /** What became of a call that was cut, its result checked. @throws Fault `SERVICE_FAILED` */
  readonly recover: (call: CutCall) => Promise<Recovery<Json>>;
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
  if (!isSellable(price, maxCalls)) {
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'price' });
  }
  const jsonSchema = jsonSchemasOf(options);
  if (!Object.values(jsonSchema).every(isPublishable)) {
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'jsonSchema' });
  }
  const { timeoutMs } = options;
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs <= MAX_WAIT_MS)) {
    throw new Fault('CONFIG_INVALID', { service: name, problem: 'timeoutMs' });
  }
  const steps: ServiceSteps = {
    accept: (value) => accept(input, value),
    run: (accepted, context) => {
      const result = guard(() => handler(accepted as Input, context));
      return result instanceof Promise
        ? result.then((value) => checkResult(output, value))
        : checkResult(output, result);
    },
  };
  const effect = options.effect ?? 'none';
  return {
    name,
    description,
    price,
    ticks: tickOffer(name, options, steps.accept),
    effect,
    maxCalls,
    timeoutMs,
    jsonSchema,
    accept: async (value) => steps.accept(value),
    run: async (accepted, context) => steps.run(accepted, context),
    steps,
    recover: async (call) => {
      const found = await guard(() => options.recover?.(call) ?? ('unknown' as const));
      return typeof found === 'object' ? { done: await checkResult(output, found.done) } : found;
    },
  };
}

/** What the seller gave comes first; the rest is asked of the schemas. */
function jsonSchemasOf({ input, output, jsonSchema = {} }: SchemaOptions): JsonSchemas {
  const told = {
    input: jsonSchema.input ?? toldSchema(input, 'input'),
    output: jsonSchema.output ?? toldSchema(output, 'output'),
  };
  return {
    ...(told.input === undefined ? {} : { input: told.input }),
    ...(told.output === undefined ? {} : { output: told.output }),
  };
}

interface SchemaOptions {
  readonly input: Schema;
  readonly output: Schema;
  readonly jsonSchema?: JsonSchemas;
}

/** Every quantity costs something, and none more than there is. */
function isSellable(price: BundlePrice, maxCalls: number): boolean {
  try {
    return bundleTotalMsat(price, 1) > 0n && bundleTotalMsat(price, maxCalls) > 0n;
  } catch {
    return false;
  }
}

function accept(schema: Schema, value: Json): Maybe<unknown> {
  const checked = guard(() => schema['~standard'].validate(value));
  return checked instanceof Promise ? checked.then(acceptedValue) : acceptedValue(checked);
}

function acceptedValue(checked: Validated<unknown>): unknown {
  if (checked.issues) {
    throw new Fault('SERVICE_INPUT', { problems: checked.issues.slice(0, 8).map(printIssue) });
  }
  return checked.value;
}

function checkResult(schema: Schema, result: unknown): Maybe<Json> {
  const checked = guard(() => schema['~standard'].validate(result));
  return checked instanceof Promise ? checked.then(checkedValue) : checkedValue(checked);
}

function checkedValue(checked: Validated<unknown>): Json {
  if (checked.issues) throw new Fault('SERVICE_FAILED', { reason: 'the result breaks its schema' });
  return checked.value as Json;
}

function printIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  return `${path.length === 0 ? 'input' : path.join('.')}: ${issue.message}`.slice(0, 200);
}

/** A seller's code may only fail as SERVICE_FAILED: whatever else it throws stays inside. */
function guard<T>(run: () => T | Promise<T>): Maybe<T> {
  try {
    const result = run();
    return isThenable(result) ? guarded(result) : result;
  } catch (error) {
    throw serviceFault(error);
  }
}

async function guarded<T>(result: PromiseLike<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw serviceFault(error);
  }
}

function serviceFault(error: unknown): Fault {
  if (error instanceof Fault && error.code === 'SERVICE_FAILED') return error;
  return new Fault('SERVICE_FAILED', {}, error);
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
