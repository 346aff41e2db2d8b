/**
 * `@x402/hono` with a facilitator that always says yes: in the same process, or over HTTP in
 * another one (argument `http`). No signature is checked by either.
 * @module
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { ExactEvmScheme } from '@x402/evm/exact/server';
import { paymentMiddleware, x402ResourceServer } from '@x402/hono';
import { Hono } from 'hono';
import { KEEP_ALIVE_MS, addOne, announce, challengeOf } from './serve.mjs';

const NETWORK = 'eip155:84532';
const PAYER = '0x1111111111111111111111111111111111111111';
const HASH = `0x${'ab'.repeat(32)}`;

/** The least that a facilitator can do. */
const yes = {
  verify: async () => ({ isValid: true, payer: PAYER }),
  settle: async () => ({ success: true, transaction: HASH, network: NETWORK, payer: PAYER }),
  getSupported: async () => ({
    kinds: [{ x402Version: 2, scheme: 'exact', network: NETWORK }],
    extensions: [],
    signers: {},
  }),
};

const role = process.argv[2];
if (role === 'facilitator') await facilitator();
else await seller(role === 'http' ? await overHttp() : yes);

async function seller(client) {
  const app = new Hono();
  const accepts = { scheme: 'exact', price: '$0.01', network: NETWORK, payTo: PAYER };
  const server = new x402ResourceServer(client).register(NETWORK, new ExactEvmScheme());
  app.use(paymentMiddleware({ 'POST /call/work': { accepts, description: 'Adds one.' } }, server));
  app.post('/call/work', async (c) => c.json(addOne(await c.req.json())));
  const url = await listen(app);
  const answer = await challengeOf(url);
  const asked = JSON.parse(atob(answer.headers.get('payment-required')));
  const [accepted] = asked.accepts;
  const authorization = {
    from: PAYER,
    to: accepted.payTo,
    value: accepted.amount,
    validAfter: '0',
    validBefore: '99999999999',
    nonce: HASH,
  };
  const payload = { signature: `0x${'ab'.repeat(65)}`, authorization };
  const paid = { x402Version: 2, resource: asked.resource, accepted, payload };
  announce(url, { 'payment-signature': btoa(JSON.stringify(paid)) });
}

async function facilitator() {
  const app = new Hono();
  app.post('/verify', async (c) => c.json(await yes.verify(await c.req.json())));
  app.post('/settle', async (c) => c.json(await yes.settle(await c.req.json())));
  app.get('/supported', async (c) => c.json(await yes.getSupported()));
  process.on('disconnect', () => process.exit(0));
  process.send(await listen(app));
}

async function overHttp() {
  const child = fork(new URL(import.meta.url), ['facilitator']);
  const [url] = await once(child, 'message');
  return new HTTPFacilitatorClient({ url });
}

function listen(app) {
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      resolve(`http://127.0.0.1:${port}`);
    });
  });
}
