/**
 * Loads LDK's WebAssembly and hides how LDK spells options and results.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  Option_ThirtyTwoBytesZ_Some,
  Option_u64Z,
  Option_u64Z_Some,
  initializeWasmFromBinary,
  type Option_ThirtyTwoBytesZ,
} from 'lightningdevkit';
import { Fault } from '../../../base/fault/index.ts';

/** Loads the module, once in a process. */
export async function loadLdk(): Promise<void> {
  // The module greets on the console and prints panics there; neither belongs into our output.
  console.log = () => undefined;
  const entry = import.meta.resolve('lightningdevkit');
  const file = fileURLToPath(new URL('liblightningjs.wasm', entry));
  await initializeWasmFromBinary(await readFile(file));
}

/** The value of an optional number. */
export function optional(option: Option_u64Z): bigint | undefined {
  return option instanceof Option_u64Z_Some ? option.some : undefined;
}

/** The value of optional 32 bytes. */
export function optionalBytes(option: Option_ThirtyTwoBytesZ): Uint8Array | undefined {
  return option instanceof Option_ThirtyTwoBytesZ_Some ? option.some : undefined;
}

/** An optional number for LDK. */
export function optionOf(value: bigint | undefined): Option_u64Z {
  return value === undefined ? Option_u64Z.constructor_none() : Option_u64Z.constructor_some(value);
}

/** A truth value: the bindings say boolean and give 0 or 1. */
export function flag(value: unknown): boolean {
  return value === true || value === 1;
}

/** The number that was given to LDK as 128 bits: the bindings hand its bytes back in reverse. */
export function from128Bits(value: bigint): bigint {
  let number = 0n;
  for (let rest = value, i = 0; i < 16; i++, rest >>= 8n) number = (number << 8n) | (rest & 0xffn);
  return number;
}

/** The value of a result. @throws Fault `WALLET_BROKEN` naming what failed */
export function okOf<T>(result: { is_ok(): boolean }, what: string): T {
  if (!result.is_ok()) throw new Fault('WALLET_BROKEN', { reason: what });
  return (result as unknown as { readonly res: T }).res;
}
