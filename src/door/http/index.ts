/** The HTTP door. @module */
export { isLoopback } from './address.ts';
export { openHttpDoor, type Certificate, type DoorAddress, type HttpDoor } from './http.ts';
export { DOOR_LIMITS, type DoorLimits } from './limits.ts';
