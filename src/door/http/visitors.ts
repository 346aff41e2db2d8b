/**
 * Who is at the door, and what is held for them: unfinished bodies and answers that nobody takes.
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { quotaAddress } from './address.ts';
import type { DoorLimits } from './limits.ts';

/** Connections, and which of them are owed an answer: the others are cut when the door closes. */
export class Visitors {
  readonly #limits: DoorLimits;
  /** Behind a proxy all connections have its address. */
  readonly #proxy: boolean;
  /** By their far end: a TLS connection is entered before and after its handshake. */
  readonly #open = new Map<string, Socket>();
  readonly #byAddress = new Map<string, number>();
  readonly #owed = new Map<Socket, number>();
  /** Answers that are not taken yet, oldest first, with their size. */
  readonly #answers = new Map<ServerResponse, number>();
  #leaving = false;
  #bodyBytes = 0;
  #answerBytes = 0;

  constructor(limits: DoorLimits, proxy: boolean) {
    this.#limits = limits;
    this.#proxy = proxy;
  }

  /** Open connections. */
  get count(): number {
    return this.#open.size;
  }

  /** Keeps count of what is held of unfinished bodies; false when it is too much. */
  park(bytes: number): boolean {
    this.#bodyBytes += bytes;
    return this.#bodyBytes <= this.#limits.parkedBytes;
  }

  /** A body is complete, or was given up. */
  unpark(bytes: number): void {
    this.#bodyBytes -= bytes;
  }

  /** An answer waits for its reader; too much of it, and who has waited longest is cut. */
  parkAnswer(outgoing: ServerResponse, bytes: number): void {
    this.#answers.set(outgoing, bytes);
    this.#answerBytes += bytes;
    outgoing.once('close', () => this.#unparkAnswer(outgoing));
    for (const [oldest] of this.#answers) {
      if (this.#answerBytes <= this.#limits.parkedAnswerBytes) return;
      this.#unparkAnswer(oldest);
      oldest.destroy();
    }
  }

  /** A connection came; one too many of its address is cut. */
  enter(socket: Socket): void {
    const key = farEnd(socket);
    const address = quotaAddress(socket.remoteAddress ?? '');
    const count = (this.#byAddress.get(address) ?? 0) + 1;
    if (!this.#proxy && count > this.#limits.connectionsPerAddress) return void socket.destroy();
    this.#byAddress.set(address, count);
    this.#open.set(key, socket);
    socket.once('close', () => {
      this.#open.delete(key);
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
    });
  }

  /** Its TLS handshake is done: from now on the connection is this socket. */
  secured(socket: Socket): void {
    if (this.#open.has(farEnd(socket))) this.#open.set(farEnd(socket), socket);
    if (this.#leaving) socket.destroy();
  }

  /** From here to the end of its answer a request is under way. */
  owe(socket: Socket, outgoing: ServerResponse): void {
    if (socket.destroyed) return;
    this.#owed.set(socket, (this.#owed.get(socket) ?? 0) + 1);
    outgoing.once('close', () => {
      const left = (this.#owed.get(socket) ?? 1) - 1;
      if (left > 0) return void this.#owed.set(socket, left);
      this.#owed.delete(socket);
      if (this.#leaving) socket.destroySoon();
    });
  }

  /** Lets those wait who are owed an answer; Node itself would wait for half-sent requests too. */
  leave(): void {
    this.#leaving = true;
    for (const socket of this.#open.values()) if (!this.#owed.has(socket)) socket.destroy();
  }

  /** Cuts everybody. */
  cut(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #unparkAnswer(outgoing: ServerResponse): void {
    this.#answerBytes -= this.#answers.get(outgoing) ?? 0;
    this.#answers.delete(outgoing);
  }
}

function farEnd({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
