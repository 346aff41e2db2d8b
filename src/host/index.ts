/** Host: the selling role. @module */
export type { Page, PageMaker } from './documents.ts';
export { openHost, type Host, type HostParts, type HostState } from './host.ts';
export { HOST_LIMITS, type HostLimits } from './limits.ts';
export { CallMeter } from './meter.ts';
export { CommitMeter, Metrics, type MetricsParts } from './metrics.ts';
export { problemResponse, type HostRequest, type HostResponse } from './message.ts';
export {
  service,
  type CallContext,
  type CutCall,
  type Recovery,
  type Schema,
  type Service,
  type ServiceOptions,
} from './service.ts';
