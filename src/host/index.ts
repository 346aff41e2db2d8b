/** Host: the selling role. @module */
export { openHost, type Host, type HostParts } from './host.ts';
export { MAX_BODY_BYTES } from './limits.ts';
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
