/** Workers: the processes of one host, and what they say to each other. @module */
export { channelPair, nodeChannel, type Channel, type NodeEnd } from './channel.ts';
export { linkPrimary, linkWorker, type WorkerDuty } from './links.ts';
export { MAX_ASKED } from './limits.ts';
export { Questions, type Methods } from './questions.ts';
export type { LanePlace, LaneStanding, PrimaryLink, WorkerLink } from './workers.ts';
