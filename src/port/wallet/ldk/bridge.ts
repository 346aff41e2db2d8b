/**
 * Carries LDK's bytes between its peers over TCP. What LDK sends is held back until the pump
 * releases it.
 * @module
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  Option_SocketAddressZ,
  SocketDescriptor,
  type PeerManager,
  type Result_CVec_u8ZPeerHandleErrorZ_OK,
  type Result_boolPeerHandleErrorZ_OK,
} from 'lightningdevkit';
import { concat } from '../../../base/bytes/index.ts';
import { guarded } from './guard.ts';

/** The most that is buffered for one peer before LDK is told to wait. */
const MAX_BUFFERED_BYTES = 1 << 20;
/** Loopback only: this node is for regtest. */
const HOST = '127.0.0.1';

/** The TCP side of a node. */
export interface Bridge {
  /** Listens on the port, or on a free one when it is taken; gives the port. */
  listen(port: number): Promise<number>;
  /** Connects and starts the handshake; undefined when nobody answers there. */
  connect(host: string, port: number, nodeId: Uint8Array): Promise<Connection | undefined>;
  /** Sends what was held back. */
  flush(): void;
  close(): void;
}

/** An outgoing connection. */
export interface Connection {
  readonly gone: boolean;
}

interface Link {
  readonly socket: Socket;
  readonly descriptor: SocketDescriptor;
  held: Uint8Array[];
  heldBytes: number;
  /** LDK was told to wait for room. */
  waiting: boolean;
  /** LDK ended it: to be closed once what is held is sent. */
  closing: boolean;
  /** LDK does not know it any longer. */
  gone: boolean;
}

/** Makes the bridge. `wake` asks for a turn of the pump. */
export function openBridge(peers: PeerManager, wake: () => void): Bridge {
  const links = new Set<Link>();
  let lastId = 0n;
  let server: Server | undefined;
  const link = (socket: Socket): Link => {
    const made = newLink(socket, ++lastId);
    links.add(made);
    attach(made, { peers, wake, forget: () => links.delete(made) });
    return made;
  };
  const accept = guarded((socket: Socket): void => {
    const { descriptor } = link(socket);
    if (!peers.new_inbound_connection(descriptor, noAddress()).is_ok()) socket.destroy();
  });
  return {
    listen: async (port) => {
      server = createServer(accept);
      return await listenOn(server, port).catch(() => listenOn((server = createServer(accept)), 0));
    },
    connect: async (host, port, nodeId) => {
      const socket = await reach(host, port);
      if (!socket) return undefined;
      const made = link(socket);
      const result = peers.new_outbound_connection(nodeId, made.descriptor, noAddress());
      if (!result.is_ok()) {
        made.gone = true;
        socket.destroy();
        return undefined;
      }
      socket.write((result as Result_CVec_u8ZPeerHandleErrorZ_OK).res);
      return made;
    },
    flush: () => {
      for (const each of links) flush(each, peers, wake);
    },
    close: () => {
      server?.close();
      for (const each of links) {
        each.gone = true;
        each.socket.destroy();
      }
    },
  };
}

function newLink(socket: Socket, id: bigint): Link {
  socket.setNoDelay(true);
  const descriptor = SocketDescriptor.new_impl({
    send_data: guarded((data: Uint8Array, resumeRead: boolean): number => {
      if (resumeRead) socket.resume();
      if (made.gone || data.length === 0) return 0;
      if (made.heldBytes + socket.writableLength > MAX_BUFFERED_BYTES) {
        made.waiting = true;
        return 0;
      }
      made.held.push(data.slice());
      made.heldBytes += data.length;
      return data.length;
    }),
    disconnect_socket: guarded(() => {
      made.gone = true;
      made.closing = true;
    }),
    eq: (other) => other.hash() === id,
    hash: () => id,
  });
  const idle = { heldBytes: 0, waiting: false, closing: false, gone: false };
  const made: Link = { socket, descriptor, held: [], ...idle };
  return made;
}

function attach(
  link: Link,
  { peers, wake, forget }: { peers: PeerManager; wake: () => void; forget: () => void },
): void {
  const { socket, descriptor } = link;
  const drop = (): void => {
    link.gone = true;
    socket.destroy();
  };
  socket.on(
    'data',
    guarded((data: Buffer) => {
      if (link.gone) return;
      const result = peers.read_event(descriptor, data);
      if (!result.is_ok()) drop();
      else if ((result as Result_boolPeerHandleErrorZ_OK).res) socket.pause();
      wake();
    }),
  );
  socket.on('drain', wake);
  socket.on('error', () => undefined);
  socket.on(
    'close',
    guarded(() => {
      if (!link.gone) peers.socket_disconnected(descriptor);
      link.gone = true;
      forget();
      wake();
    }),
  );
}

function flush(link: Link, peers: PeerManager, wake: () => void): void {
  const { socket } = link;
  if (link.held.length > 0) {
    socket.write(concat(...link.held));
    link.held = [];
    link.heldBytes = 0;
  }
  if (link.closing) socket.destroySoon();
  if (!link.waiting || link.gone || socket.writableNeedDrain) return;
  link.waiting = false;
  if (!peers.write_buffer_space_avail(link.descriptor).is_ok()) {
    link.gone = true;
    socket.destroy();
  }
  wake();
}

function noAddress(): Option_SocketAddressZ {
  return Option_SocketAddressZ.constructor_none();
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => resolve((server.address() as AddressInfo).port));
  });
}

function reach(host: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const failed = (): void => resolve(undefined);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
