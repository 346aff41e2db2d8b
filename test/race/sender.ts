/**
 * A process that sends captured requests: it has nothing of the payer but the bytes.
 * @module
 */
import { openNet, type NetRequest } from '../../src/port/net/index.ts';

/** A request on its way to a sender. */
export interface Captured {
  readonly id: number;
  readonly request: Omit<NetRequest, 'body' | 'signal'>;
  /** Base64. */
  readonly body: string;
}

/** What came back. */
export interface Sent {
  readonly id: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
}

if (import.meta.main) {
  const net = openNet();
  process.on('message', ({ id, request, body }: Captured) => {
    void net.send({ ...request, body: Buffer.from(body, 'base64') }).then((answer) => {
      const { status, headers } = answer;
      const sent: Sent = { id, status, headers, body: Buffer.from(answer.body).toString('base64') };
      return process.send?.(sent);
    });
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}
