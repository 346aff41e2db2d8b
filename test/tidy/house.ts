/**
 * The house, as data: who may import whom, what may not be written, and the exceptions.
 * DESIGN: a folder is a noun of the domain; its door is `index.ts`; arrows point up and left only.
 * @module
 */

/**
 * Floors from the ground up, each with its rooms from left to right. A file may import from floors
 * above its own line, from rooms to the left on its own line, and from its own room. A floor
 * without rooms is a single room.
 */
export const FLOORS: readonly (readonly [floor: string, rooms: readonly string[]])[] = [
  ['base', ['module', 'fault', 'money', 'bytes', 'json', 'hash', 'time', 'random', 'log']],
  ['pay', ['price', 'tick', 'bundle', 'ledger']],
  ['bitcoin', ['bolt', 'script', 'channel', 'seal']],
  ['service', ['relay', 'route', 'async']],
  ['port', ['keys', 'net', 'chain', 'wallet', 'store', 'workers', 'bus']],
  ['books', []],
  ['wire', ['toll', 'rpc', 'l402', 'mpp', 'x402']],
  ['payer', []],
  ['host', []],
  ['door', ['http', 'admin', 'ws', 'proxy', 'mcp']],
  ['web', []],
  ['package', ['payer', 'host', 'regtest']],
  ['cli', []],
];

/**
 * Doors beside `index.ts`, for adapters whose packages a production install does not have: the
 * room's own door must not load them.
 */
export const SIDE_DOORS: ReadonlySet<string> = new Set([
  'src/port/chain/regtest/index.ts',
  'src/port/wallet/ldk/index.ts',
]);

/** The most columns of a line of code. */
export const LINE_MAX_COLUMNS = 100;
/** The most lines of a file. */
export const FILE_MAX_LINES = 500;

/** Something that may not be written. */
export interface Ban {
  readonly text: RegExp;
  /** Where the ban holds. */
  readonly within: RegExp;
  /** Where it does not. */
  readonly except?: RegExp;
  /** What to write instead, or why not at all. */
  readonly instead: string;
}

/** Banned in code; comments and the contents of strings are not looked at. */
export const CODE_BANS: readonly Ban[] = [
  {
    text: /\bDate\.now\b|\bnew Date\b|\bperformance\.now\b/,
    within: /^(src|test)\//,
    except: /^src\/base\/time\//,
    instead: 'take a Clock (src/base/time)',
  },
  {
    text: /\bMath\.random\b/,
    within: /^/,
    except: /^src\/base\/random\//,
    instead: 'take a Random (src/base/random)',
  },
  {
    text: /((?<!\.)|\bglobalThis\.)\bset(Timeout|Interval)\b/,
    within: /^(src|test)\//,
    except: /^src\/base\/time\//,
    instead: 'take a Clock (src/base/time) and use sleep or timer',
  },
  {
    text: /\bprocess\.(env|argv)\b/,
    within: /^src\//,
    except: /^src\/cli\/|\.test\.ts$/,
    instead: 'only src/cli reads the environment: take it as an argument',
  },
  {
    text: /\bcrypto\.subtle\b|\bwebcrypto\b/,
    within: /^(src|test)\//,
    instead: 'use src/base/hash or @noble: their calls are synchronous, so simulations repeat',
  },
  {
    text: /\bconsole\.\w+/,
    within: /^src\//,
    except: /^src\/(cli|web)\//,
    instead: 'take a Log (src/base/log)',
  },
  {
    text: /\.(skip|only|todo)\(|\b(skip|only|todo):\s*true\b/,
    within: /(^|\/)test\/|\.test\.ts$/,
    instead: 'a test runs or is deleted; what a machine may lack goes through test/need.ts',
  },
];

/** Banned in any text file, comments included. */
export const TEXT_BANS: readonly Ban[] = [
  {
    text: /\b(TODO|FIXME|XXX)\b/,
    within: /^/,
    except: /^package-lock\.json$/,
    instead: 'do it now, or leave the place without a note',
  },
  {
    text: /(?<![\w.~*-])\/(work|root|home)\//,
    within: /^/,
    instead: 'no path of one machine: make it relative',
  },
  {
    text: /\bregistry\.(npmjs|yarnpkg)\.|:\/\/[^\s/"']*(registry|artifactory|nexus|verdaccio)/,
    within: /^/,
    instead: 'no registry by name: whoever installs has their own',
  },
  {
    text: /"resolved":/,
    within: /^package-lock\.json$/,
    instead: 'keep omit-lockfile-registry-resolved=true in .npmrc and make the lock file again',
  },
];

/** Names that say nothing, for a file or folder. */
export const EMPTY_NAMES = /^(utils?|helpers?|common|types|misc|shared|lib)$/;

/** Leaves one rule out for one file. */
export interface Exception {
  readonly file: string;
  /** The first word of the problem, as tidy prints it. */
  readonly rule: string;
  readonly reason: string;
}

/** Every exception, with its reason. One that no longer applies is a problem itself. */
export const EXCEPTIONS: readonly Exception[] = [
  { file: 'types', rule: 'name', reason: 'where TypeScript projects keep ambient declarations' },
  { file: 'test/tidy/house.ts', rule: 'text', reason: 'the bans name what they ban' },
  { file: 'test/tidy.test.ts', rule: 'text', reason: 'shows that each ban fires' },
  {
    file: 'src/port/chain/regtest/bcoin.ts',
    rule: 'ban',
    reason: 'its libraries choose their backend by an environment variable while they load',
  },
  {
    file: 'src/port/keys/identity.ts',
    rule: 'ban',
    reason: 'RSA decryption belongs into the thread pool, and simulations use another adapter',
  },
  {
    file: 'src/port/wallet/ldk/wasm.ts',
    rule: 'ban',
    reason: 'silences a module that writes to the console',
  },
];
