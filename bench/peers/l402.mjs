/**
 * L402 by hand on express: a macaroon that names the payment hash, checked with `macaroon`, and its
 * preimage, checked with one hash. Nothing is stored: a credential is good for ever.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import express from 'express';
import { importMacaroon, newMacaroon } from 'macaroon';
import { KEEP_ALIVE_MS, addOne, announce } from './serve.mjs';

const rootKey = randomBytes(32);
const app = express();
app.post('/call/work', express.json(), (request, response) => {
  if (!isPaid(request.headers.authorization ?? '')) return response.status(402).end();
  return response.json(addOne(request.body));
});
const server = app.listen(0, '127.0.0.1', () => {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const preimage = randomBytes(32);
  const macaroon = newMacaroon({ identifier: hashOf(preimage), location: 'work', rootKey });
  macaroon.addFirstPartyCaveat('service = work');
  const text = Buffer.from(macaroon.exportBinary()).toString('base64');
  const credential = `${text}:${preimage.toString('hex')}`;
  announce(`http://127.0.0.1:${server.address().port}`, { authorization: `L402 ${credential}` });
});

function isPaid(authorization) {
  const [text, preimage] = authorization.slice('L402 '.length).split(':');
  if (!authorization.startsWith('L402 ') || preimage === undefined) return false;
  try {
    const macaroon = importMacaroon(Buffer.from(text, 'base64'));
    macaroon.verify(rootKey, (caveat) => (caveat === 'service = work' ? null : 'not for this'));
    return hashOf(Buffer.from(preimage, 'hex')).equals(Buffer.from(macaroon.identifier));
  } catch {
    return false;
  }
}

function hashOf(bytes) {
  return createHash('sha256').update(bytes).digest();
}
