/**
 * `tollcall wallet`: the node, what it can spend, its channels.
 * @module
 */
import type { Command } from 'commander';
import { formatMsat, satToMsat } from '../base/money/index.ts';
import type { ChannelFacts } from '../package/payer/index.ts';
import { askWallet, openProfile, type Profile } from './profile.ts';
import { printJson } from './report.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { addWalletLists } from './wallet-lists.ts';
import { addWalletPay } from './wallet-pay.ts';

/** Adds `tollcall wallet`. */
export function addWallet(program: Command): void {
  const wallet = program
    .command('wallet')
    .summary('the node, its balance, channels, invoices')
    .description('Shows the Lightning wallet of a profile: the node, its balance, its channels.')
    .option(
      '--profile <directory>',
      'the payer profile (default: TOLLCALL_PROFILE, or that of dev)',
    )
    .option('--json', 'print one JSON object, and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  tollcall wallet\n  tollcall wallet --json\n  tollcall wallet payments',
    )
    .action(async ({ profile: dir, json = false }: { profile?: string; json?: boolean }) => {
      const profile = await openProfile(dir);
      try {
        await runWallet(profile, openTerminal(process.stdout, json), json);
      } finally {
        await profile.close();
      }
    });
  addWalletPay(wallet);
  addWalletLists(wallet);
}

async function runWallet(profile: Profile, terminal: Terminal, json: boolean): Promise<void> {
  const { wallet } = profile;
  const info = await askWallet(profile, () => wallet.info());
  const balance = await wallet.balance();
  const channels = await wallet.channels();
  if (json) {
    return printJson({
      node_id: info.nodeId,
      network: info.network,
      height_blocks: info.heightBlocks,
      sendable_msat: balance.sendableMsat,
      receivable_msat: balance.receivableMsat,
      onchain_sat: balance.onchainSat,
      channels: channels.map(channelToJson),
    });
  }
  terminal.fields([
    ['node', info.nodeId],
    ['network', `${info.network}, block ${info.heightBlocks}`],
    ['can send', formatMsat(balance.sendableMsat)],
    ['can receive', formatMsat(balance.receivableMsat)],
    ['on chain', formatMsat(satToMsat(balance.onchainSat))],
  ]);
  if (channels.length === 0) return;
  terminal.line();
  terminal.table(
    [
      ['channel with', 'capacity', 'can send', 'can receive', 'state'],
      ...channels.map((channel) => [
        `${channel.peerId.slice(0, 16)}…`,
        formatMsat(satToMsat(channel.capacitySat)),
        formatMsat(channel.sendableMsat),
        formatMsat(channel.receivableMsat),
        channel.usable ? 'usable' : 'not usable now',
      ]),
    ],
    [1, 2, 3],
  );
}

function channelToJson(channel: ChannelFacts): Record<string, unknown> {
  return {
    channel_id: channel.channelId,
    peer_id: channel.peerId,
    capacity_sat: channel.capacitySat,
    sendable_msat: channel.sendableMsat,
    receivable_msat: channel.receivableMsat,
    usable: channel.usable,
  };
}
