/**
 * Loaded into every test file's process: ends one that hangs, so that `npm test` always ends.
 * @module
 */

/** No test file needs this long; the timer alone keeps no process alive. */
const FILE_TIMEOUT_MS = Number(process.env['TOLLCALL_TEST_TIMEOUT_MS'] ?? 300_000);

setTimeout(() => {
  const active = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout');
  process.stderr.write(
    `${process.argv[1]}: no end after ${FILE_TIMEOUT_MS} ms; active: ${active.join(', ')}\n`,
  );
  process.exit(1);
}, FILE_TIMEOUT_MS).unref();
