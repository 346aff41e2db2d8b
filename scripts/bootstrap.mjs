/**
 * Makes node_modules match package-lock.json before a script of the project runs.
 *
 * Plain JavaScript with no dependencies, since it runs before there are any, and on the machine's
 * own Node (20 or newer). Does nothing, quickly, when all is in place. Several may start at once:
 * one installs, the others wait for it.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.tollcall-stamp');
/** Holds one symbolic link, named by a rising number; its target is the owner's pid, or `free`. */
const LOCK = join(ROOT, '.bootstrap.tmp');
const OLDEST_NODE = 20;
const POLL_MS = 200;

bootstrap();

function bootstrap() {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    fail(`Node ${process.versions.node} is too old: install Node ${OLDEST_NODE} or newer.`);
  }
  const stamp = expectedStamp();
  if (isFresh(stamp)) return;
  const release = takeLock();
  try {
    if (isFresh(stamp)) return; // another run has done it meanwhile
    if (!isInstalled()) install();
    writeFileSync(STAMP, stamp);
  } finally {
    release();
  }
}

function install() {
  say('installing dependencies (first run, or package-lock.json has changed) ...');
  npm('ci', '--ignore-scripts', '--include=dev');
  // Node itself is the one package whose install script must run: it fetches the binary.
  npm('rebuild', 'node', '--ignore-scripts=false', '--foreground-scripts=false');
  if (!existsSync(join(MODULES, '.bin', 'node'))) {
    fail('npm left out the "node" package: delete node_modules, then run again.');
  }
  say('dependencies are installed.');
}

/** What the stamp says when the installation is of this lock file and for this kind of machine. */
function expectedStamp() {
  const digest = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')));
  return `${digest.digest('hex')} ${process.platform}-${process.arch}\n`;
}

function isFresh(stamp) {
  try {
    return readFileSync(STAMP, 'utf8') === stamp && existsSync(join(MODULES, '.bin', 'node'));
  } catch {
    return false;
  }
}

/** True when npm's own record of the tree agrees with package-lock.json: it was run by hand. */
function isInstalled() {
  if (!existsSync(join(MODULES, '.bin', 'node'))) return false;
  try {
    const actual = readPackages(join(MODULES, '.package-lock.json'));
    return Object.entries(readPackages(join(ROOT, 'package-lock.json'))).every(
      ([path, wanted]) =>
        path === '' || (actual[path] ? actual[path].version === wanted.version : wanted.optional),
    );
  } catch {
    return false;
  }
}

function readPackages(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

function npm(...args) {
  // npm replaces node_modules, so it must not run on the Node that lives there.
  const path = (process.env.PATH ?? '').split(delimiter).filter((dir) => !dir.startsWith(MODULES));
  const env = { ...process.env, PATH: path.join(delimiter) };
  const shell = process.platform === 'win32';
  const run = spawnSync('npm', args, { cwd: ROOT, env, shell, encoding: 'utf8', stdio: 'pipe' });
  if (run.error?.code === 'ENOENT') {
    fail('npm is not on the PATH: install it (Debian: apt install npm), then run again.');
  }
  if (run.status === 0) return;
  const output = `${run.stderr ?? ''}${run.stdout ?? ''}${run.error?.message ?? ''}`.trim();
  const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT/.test(output);
  const told = output.split('\n').filter((line) => !line.startsWith('npm warn'));
  fail(
    `${told.slice(0, 15).join('\n')}\n\n"npm ${args.join(' ')}" failed. ` +
      (offline
        ? 'The package registry could not be reached: check the network or proxy, then run again.'
        : 'Its output begins as above; mend that, then run again.'),
  );
}

/**
 * Waits for the lock; returns what gives it back.
 *
 * Making a symbolic link is atomic, refuses an existing name and carries the owner's pid. The
 * highest number is the lock: it is free, or owned by a live process, or left by a dead one. Who
 * makes the next number is the new owner, so two that find a dead owner cannot both succeed.
 */
function takeLock() {
  mkdirSync(LOCK, { recursive: true });
  for (let told = false; ; pause(POLL_MS)) {
    const { number, owner } = highestClaim();
    if (isRunning(owner)) {
      if (!told)
        say(`waiting for process ${owner}, which installs (if it does not, delete ${LOCK}) ...`);
      told = true;
      continue;
    }
    const mine = number + 1;
    if (!claim(mine, String(process.pid))) continue;
    if (highestClaim().number === mine) {
      dropBelow(mine);
      return () => claim(mine + 1, 'free') && dropBelow(mine + 1);
    }
    rmSync(join(LOCK, String(mine)), { force: true }); // an old number, made again too late
  }
}

function highestClaim() {
  const number = Math.max(0, ...readdirSync(LOCK).map(Number).filter(Number.isSafeInteger));
  try {
    return { number, owner: number === 0 ? 'free' : readlinkSync(join(LOCK, String(number))) };
  } catch {
    return highestClaim(); // dropped in between: a higher one exists
  }
}

function claim(number, owner) {
  try {
    symlinkSync(owner, join(LOCK, String(number)));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function dropBelow(number) {
  for (const name of readdirSync(LOCK)) {
    if (Number(name) < number) rmSync(join(LOCK, name), { force: true });
  }
}

function isRunning(owner) {
  if (owner === 'free') return false;
  try {
    process.kill(Number(owner), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function pause(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function say(line) {
  process.stderr.write(`tollcall: ${line}\n`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
