/**
 * boltwall, with LND stubbed: it is answered at once that the invoice is paid.
 * @module
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { KEEP_ALIVE_MS, addOne, announce, challengeOf } from './serve.mjs';

const [preimage, invoice] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const lnd = createRequire(require.resolve('boltwall'))('ln-service');
const id = createHash('sha256').update(Buffer.from(preimage, 'hex')).digest('hex');
const created = { id, request: invoice, tokens: 1, created_at: new Date().toISOString() };
const stubs = {
  authenticatedLndGrpc: () => ({ lnd: {} }),
  createInvoice: async () => created,
  getInvoice: async () => ({ ...created, is_confirmed: true, is_held: false, secret: preimage }),
};
for (const [name, stub] of Object.entries(stubs)) lnd[name] = stub;
process.env.LND_SOCKET = '127.0.0.1:1';
process.env.SESSION_SECRET = 'ab'.repeat(32);
process.env.LOG_LEVEL = 'none';

const { boltwall } = require('boltwall');
const express = createRequire(require.resolve('boltwall'))('express');
const app = express();
app.use(express.json());
app.use(boltwall({ minAmount: 1 }));
app.post('/call/work', (request, response) => response.json(addOne(request.body)));
const server = app.listen(0, '127.0.0.1', async () => {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const url = `http://127.0.0.1:${server.address().port}`;
  const challenge = (await challengeOf(url)).headers.get('www-authenticate') ?? '';
  const macaroon = /macaroon="?([^",]+)/.exec(challenge)?.[1];
  announce(url, { authorization: `LSAT ${macaroon}:${preimage}` });
});
