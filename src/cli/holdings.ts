/**
 * `tollcall sessions`: what was bought, what is left of it, and moving it to another profile.
 * @module
 */
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { Fault, asFault, isFault } from '../base/fault/index.ts';
import { formatMsat } from '../base/money/index.ts';
import { formatTime, unixMs } from '../base/time/index.ts';
import type { PayerSession, SessionStatus } from '../payer/index.ts';
import { readText } from './host-options.ts';
import { openProfile, type Profile } from './profile.ts';
import { printJson } from './report.ts';
import { openTerminal } from './terminal.ts';

interface Options {
  readonly profile?: string;
  readonly json?: boolean;
}

/** Adds `tollcall sessions`. */
export function addSessions(program: Command): void {
  const sessions = program
    .command('sessions')
    .summary('what was bought, and what is left of it')
    .description('Sessions: what this profile has bought, and moving it to another profile.')
    .addHelpText(
      'after',
      `
Examples:
  tollcall sessions list
  tollcall sessions list 127.0.0.1:8402 --json
  tollcall sessions export 3fa4 session.json                  it leaves this profile
  tollcall sessions import session.json --profile ./other     it comes to that one

A session is in one profile. Its file is a secret: whoever has it can spend what is left.`,
    );
  withOptions(sessions.command('list'))
    .description('Lists the sessions, and asks their hosts what is left of each.')
    .argument('[host]', 'only those with this host')
    .addHelpText(
      'after',
      '\nExamples:\n  tollcall sessions list\n  tollcall sessions list 127.0.0.1:8402 --json',
    )
    .action((host: string | undefined, options: Options) => runList(host, options));
  withOptions(sessions.command('export'))
    .description('Moves a session out of this profile, into a file that only you can read.')
    .argument('<session>', 'the first digits of its id')
    .argument('<file>', 'a file that is not there yet')
    .addHelpText('after', '\nExample:\n  tollcall sessions export 3fa4 session.json')
    .action((session: string, file: string, options: Options) => runExport(session, file, options));
  withOptions(sessions.command('import'))
    .description('Moves a session out of a file into this profile; the file is deleted.')
    .argument('<file>', 'what "tollcall sessions export" has made; - reads standard input')
    .addHelpText('after', '\nExample:\n  tollcall sessions import session.json --profile ./other')
    .action((file: string, options: Options) => runImport(file, options));
}

function withOptions(command: Command): Command {
  return command
    .option(
      '--profile <directory>',
      'the payer profile (default: TOLLCALL_PROFILE, or that of dev)',
    )
    .option('--json', 'print one JSON object, and nothing else');
}

/** A session as it is shown. */
interface Held {
  readonly host: string;
  readonly session: string;
  readonly service: string;
  /** Absent when the host does not say. */
  readonly status?: SessionStatus;
  readonly problem?: string;
}

async function runList(host: string | undefined, options: Options): Promise<void> {
  const profile = await openProfile(options.profile);
  const terminal = openTerminal(process.stdout, options.json ?? false);
  try {
    const held = (
      await Promise.all((await hostsOf(profile, host)).map((h) => look(profile, h)))
    ).flat();
    if (options.json) return printJson({ sessions: held.map(toJson) });
    if (held.length === 0) return terminal.line('  Nothing was bought yet.');
    terminal.table(
      [
        ['session', 'host', 'service', 'bought', 'left', 'credit', 'until'],
        ...held.map(({ session, host: at, service, status, problem }) => [
          session.slice(0, 8),
          at.replace(/^https?:\/\//, ''),
          service,
          `${status?.boughtCalls ?? '?'}`,
          `${status?.callsLeft ?? '?'}`,
          status === undefined ? (problem ?? '?') : formatMsat(status.creditMsat),
          status === undefined ? '' : formatTime(status.expiresAtMs).slice(0, 10),
        ]),
      ],
      [3, 4, 5],
    );
  } finally {
    await profile.close();
  }
}

/** The hosts of whom something was bought. */
async function hostsOf({ store }: Profile, host: string | undefined): Promise<readonly string[]> {
  if (host !== undefined) return [host];
  const bought = await store.purchases({ states: ['paid'] });
  return [...new Set(bought.map((purchase) => purchase.host))];
}

async function look(profile: Profile, host: string): Promise<readonly Held[]> {
  let sessions: readonly PayerSession[];
  try {
    sessions = await profile.payer.sessions(await profile.connect(host), { ticks: true });
  } catch (error) {
    // One host that is away does not hide the others.
    const problem = asFault(error).code;
    const bought = await profile.store.purchases({ host, states: ['paid'] });
    const ids = new Map(bought.map(({ session = '', service }) => [session, service]));
    if (ids.size === 0) throw error;
    return [...ids].map(([session, service]) => ({ host, session, service, problem }));
  }
  return Promise.all(sessions.map((session) => standingOf(host, session)));
}

async function standingOf(host: string, one: PayerSession): Promise<Held> {
  const { session, service } = one;
  try {
    return { host, session, service, status: await one.status() };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { host, session, service, problem: error.code };
  }
}

function toJson({ host, session, service, status, problem }: Held): Record<string, unknown> {
  if (status === undefined) return { host, session, service, problem };
  return {
    host,
    session,
    service,
    bought_calls: status.boughtCalls,
    calls_left: status.callsLeft,
    charged_msat: status.chargedMsat,
    credit_msat: status.creditMsat,
    refundable_msat: status.refundableMsat,
    expires_at: formatTime(unixMs(status.expiresAtMs)),
    ...(status.lines === undefined ? {} : { lines: status.lines }),
  };
}

async function runExport(wanted: string, file: string, options: Options): Promise<void> {
  const profile = await openProfile(options.profile);
  try {
    const session = await sessionId(profile, wanted);
    // The file first: a session that has left must be somewhere.
    const out = create(file);
    let text: string;
    try {
      text = await profile.payer.exportSession(session);
      writeSync(out, text);
      fsyncSync(out);
    } catch (error) {
      unlinkSync(file);
      throw error;
    } finally {
      closeSync(out);
    }
    if (options.json) return printJson({ session, file });
    const terminal = openTerminal(process.stdout);
    terminal.line(`  ${terminal.good('✔')} exported  ${session}`);
    terminal.line(`  It has left this profile. Import it once: tollcall sessions import ${file}`);
  } finally {
    await profile.close();
  }
}

function create(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (error) {
    throw new Fault(
      'USAGE_INVALID',
      { file, problem: 'it is there already, or cannot be made' },
      error,
    );
  }
}

/** One session by its first digits; also one that has left, whose file was lost. */
async function sessionId({ store }: Profile, wanted: string): Promise<string> {
  const bought = await store.purchases({ states: ['paid'] });
  const ids = new Set(bought.map(({ session = '' }) => session));
  const found = [...ids].filter((id) => id !== '' && id.startsWith(wanted));
  const [session] = found;
  if (session !== undefined && found.length === 1) return session;
  const problem = found.length === 0 ? 'there is no such session' : 'give more digits';
  throw new Fault('USAGE_INVALID', {
    session: wanted,
    problem,
    next: 'see "tollcall sessions list"',
  });
}

async function runImport(file: string, options: Options): Promise<void> {
  const text = readText(file, 'file');
  const profile = await openProfile(options.profile);
  try {
    const { host, session } = await profile.payer.importSession(text);
    if (file !== '-') unlinkSync(file);
    if (options.json) return printJson({ host, session });
    const terminal = openTerminal(process.stdout);
    terminal.line(`  ${terminal.good('✔')} imported  ${session}, with ${host}`);
  } finally {
    await profile.close();
  }
}
