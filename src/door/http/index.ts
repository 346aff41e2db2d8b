/** The HTTP door. @module */
export { openHttpDoor, type HttpDoor } from './http.ts';
