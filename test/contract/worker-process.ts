/**
 * A puppet in a process of its own. It says when it is there.
 * @module
 */
import { linkPrimary, nodeChannel } from '../../src/port/workers/index.ts';
import { puppet } from './worker-puppet.ts';

const link = linkPrimary(nodeChannel(process, 'lanes'), () => process.exit(3));
link.serve(puppet(link.primary, () => process.kill(process.pid, 'SIGKILL')));
process.send?.('ready');
