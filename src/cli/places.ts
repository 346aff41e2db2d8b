/**
 * Where things stand on this machine.
 * @module
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The directory of `tollcall dev`: `$XDG_STATE_HOME/tollcall/dev`, else `~/.tollcall/dev`. */
export function defaultDevDir(): string {
  const state = process.env['XDG_STATE_HOME'] ?? '';
  return state === '' ? join(homedir(), '.tollcall', 'dev') : join(state, 'tollcall', 'dev');
}

/** What is where in the directory of `tollcall dev`. */
export interface DevPlaces {
  readonly dir: string;
  /** The chain and the two nodes. */
  readonly network: string;
  readonly host: string;
  readonly payer: string;
}

/** The places in a directory of `tollcall dev`. */
export function devPlaces(dir: string): DevPlaces {
  const full = resolve(dir);
  const at = (name: string): string => join(full, name);
  return { dir: full, network: at('network'), host: at('host'), payer: at('payer') };
}

/** The profile that buys unless another is named: `TOLLCALL_PROFILE`, else that of `dev`. */
export function defaultProfileDir(): string {
  return process.env['TOLLCALL_PROFILE'] ?? devPlaces(defaultDevDir()).payer;
}

/** The host that is looked at unless another is named: that of `dev`. */
export function defaultHostDir(): string {
  return devPlaces(defaultDevDir()).host;
}

/** A path as a person writes it: the home directory as `~`. */
export function shownPath(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** A path ready to be pasted into a shell. */
export function shellPath(path: string): string {
  const shown = shownPath(path);
  return /^[\w~./+:@-]+$/.test(shown) ? shown : `'${path.replaceAll("'", `'\\''`)}'`;
}
