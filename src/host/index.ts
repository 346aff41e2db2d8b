/** Host: the selling role. @module */
export type { Page, PageMaker } from './documents.ts';
export { openHost, type Host, type HostParts, type HostState } from './host.ts';
export type { KeyNames } from './identities.ts';
export { HOST_LIMITS, type HostLimits } from './limits.ts';
export { CallMeter } from './meter.ts';
export {
  CommitMeter,
  WorkerFigures,
  processFigures,
  type Figures,
  type ProcessFiguresParts,
} from './figures.ts';
export { Metrics, type MetricsParts } from './metrics.ts';
export { HOST_HEADERS, problemResponse, type HostRequest, type HostResponse } from './message.ts';
export type { Passage } from './passage.ts';
export {
  service,
  type CallContext,
  type CutCall,
  type Recovery,
  type Schema,
  type Service,
  type ServiceOptions,
} from './service.ts';
export {
  openWorkerHost,
  type WorkerHost,
  type WorkerHostParts,
  type WorkerState,
} from './worker.ts';
