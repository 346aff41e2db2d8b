/**
 * The private chain and its Lightning nodes. In an installation they are a package of their own:
 * who only sells or buys does not carry them.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Log } from '../base/log/index.ts';
import { isBuilt } from '../base/module/index.ts';
import type { RegtestNetwork } from '../package/regtest/index.ts';
import type { Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

const PACKAGE = '@tollcall/regtest';

/** What is loaded. */
export type Regtest = typeof import('../package/regtest/index.ts');

/** Loads it. @throws Fault `REGTEST_MISSING` with the command that installs it */
export async function loadRegtest(): Promise<Regtest> {
  if (!isBuilt(import.meta.url)) return import('../package/regtest/index.ts');
  return import(installed()) as Promise<Regtest>;
}

/** Opens a network that tells `terminal` about each step. */
export async function openTerminalNetwork(options: {
  readonly dir: string;
  readonly keep: boolean;
  readonly log: Log;
  readonly terminal: Terminal;
}): Promise<RegtestNetwork> {
  const { terminal, ...rest } = options;
  const { openNetwork } = await loadRegtest();
  return openNetwork({ ...rest, step: (name, run, say) => terminal.step(name, run, say) });
}

function installed(): string {
  try {
    return import.meta.resolve(PACKAGE);
  } catch (error) {
    // Its file is named: the name alone is looked up in a registry, where it may be anybody's.
    const next = `npm install ./tollcall-regtest-${packageVersion()}.tgz`;
    throw new Fault('REGTEST_MISSING', { package: PACKAGE, next }, error);
  }
}
