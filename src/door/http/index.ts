/** The HTTP door, and the inner door between the processes of one host. @module */
export { isLoopback } from './address.ts';
export { openPassage, type OpenPassage } from './passage.ts';
export { openHttpDoor, type Certificate, type DoorAddress, type HttpDoor } from './http.ts';
export { openInnerDoor, type InnerDoor, type InnerDoorAddress } from './inner.ts';
export { DOOR_LIMITS, MAX_SOCKET_PATH_BYTES, type DoorLimits } from './limits.ts';
