/**
 * A wallet that runs in another process of this user, behind a Unix socket (mode 0600): what
 * `tollcall dev` offers to the other commands. Only the calls of the wallet port, lists, channels.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { silentLog, type Log } from '../../base/log/index.ts';
import type { Sat, Msat } from '../../base/money/index.ts';
import {
  connectLine,
  openLineServer,
  type LineClient,
  type LineServer,
} from '../../door/admin/index.ts';
import type { InvoiceRequest, NodeWallet, PayRequest, Wallet } from '../../port/wallet/index.ts';

/** A channel, as a person wants to see it. */
export interface ChannelFacts {
  /** 32 bytes, hex. */
  readonly channelId: string;
  /** 33 bytes, hex. */
  readonly peerId: string;
  readonly capacitySat: Sat;
  readonly sendableMsat: Msat;
  readonly receivableMsat: Msat;
  readonly usable: boolean;
}

/** A wallet with channels, invoices and payments to show. */
export type ChannelWallet = Wallet &
  Pick<NodeWallet, 'listIncoming' | 'listOutgoing'> & {
    channels(): Promise<readonly ChannelFacts[]>;
  };

/** Offers a wallet at a socket, until it is closed. @throws Fault `CONFIG_INVALID` */
export function offerWallet(
  path: string,
  wallet: ChannelWallet,
  log: Log = silentLog,
): Promise<LineServer> {
  return openLineServer(
    path,
    {
      info: () => wallet.info(),
      balance: () => wallet.balance(),
      createInvoice: (request: InvoiceRequest) => wallet.createInvoice(request),
      pay: (request: PayRequest) => wallet.pay(request),
      outgoing: (paymentHash: string) => wallet.outgoing(paymentHash),
      incoming: (paymentHash: string) => wallet.incoming(paymentHash),
      receivedAfter: (cursor: string, limit: number) => wallet.receivedAfter(BigInt(cursor), limit),
      listIncoming: (cursor: string, limit: number) => wallet.listIncoming(BigInt(cursor), limit),
      listOutgoing: (cursor: string, limit: number) => wallet.listOutgoing(BigInt(cursor), limit),
      channels: () => wallet.channels(),
    },
    log,
  );
}

/**
 * A wallet behind a socket, connected at its first use.
 * @throws (each method) Fault `WALLET_STOPPED` when nobody answers there: what was asked last may
 * have been done, so it is looked up
 */
export function socketWallet(path: string): ChannelWallet {
  let line: Promise<LineClient | undefined> | undefined;
  const gone = (): Fault => new Fault('WALLET_STOPPED', { next: 'start "tollcall dev" again' });
  const ask = async <T>(method: string, ...params: readonly unknown[]): Promise<T> => {
    line ??= connectLine(path, gone);
    const open = await line;
    if (open === undefined) {
      line = undefined;
      throw gone();
    }
    return (await open.ask(method, ...params)) as T;
  };
  return {
    info: () => ask('info'),
    balance: () => ask('balance'),
    createInvoice: (request) => ask('createInvoice', request),
    pay: (request) => ask('pay', request),
    outgoing: (paymentHash) => ask('outgoing', paymentHash),
    incoming: (paymentHash) => ask('incoming', paymentHash),
    receivedAfter: (cursor, limit) => ask('receivedAfter', cursor, limit),
    // Wake-ups are hints, and the commands that use this wallet only pay.
    onReceived: () => () => undefined,
    listIncoming: (cursor, limit) => ask('listIncoming', cursor, limit),
    listOutgoing: (cursor, limit) => ask('listOutgoing', cursor, limit),
    channels: () => ask('channels'),
    close: async () => (await line)?.close(),
  };
}
