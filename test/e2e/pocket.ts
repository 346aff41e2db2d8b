/**
 * A profile for the command line whose wallet is one of the test.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { offerWallet, type ChannelWallet, type FakeWallet } from '../../src/package/payer/index.ts';

/** Makes the profile, and offers the wallet to it until that is closed. */
export function offerProfile(dir: string, wallet: FakeWallet): ReturnType<typeof offerWallet> {
  mkdirSync(dir, { recursive: true });
  const profile = { version: 1, wallet: { kind: 'socket', path: 'wallet.sock' } };
  writeFileSync(join(dir, 'profile.json'), JSON.stringify(profile));
  return offerWallet(join(dir, 'wallet.sock'), withChannels(wallet));
}

/** What the command line asks of a wallet, of one that has no channels to show. */
function withChannels(wallet: FakeWallet): ChannelWallet {
  return {
    info: () => wallet.info(),
    balance: () => wallet.balance(),
    createInvoice: (request) => wallet.createInvoice(request),
    pay: (request) => wallet.pay(request),
    outgoing: (paymentHash) => wallet.outgoing(paymentHash),
    incoming: (paymentHash) => wallet.incoming(paymentHash),
    receivedAfter: (cursor, limit) => wallet.receivedAfter(cursor, limit),
    onReceived: (listener) => wallet.onReceived(listener),
    close: () => wallet.close(),
    listIncoming: (cursor, limit) => wallet.listIncoming(cursor, limit),
    listOutgoing: (cursor, limit) => wallet.listOutgoing(cursor, limit),
    channels: () => Promise.resolve([]),
  };
}
