/** The local admin socket, and the line protocol that it speaks. @module */
export {
  connectAdmin,
  hostAdmin,
  openAdminDoor,
  type HostAdmin,
  type SessionFacts,
} from './admin.ts';
export {
  connectLine,
  openLineServer,
  type LineClient,
  type LineMethods,
  type LineServer,
} from './line-socket.ts';
