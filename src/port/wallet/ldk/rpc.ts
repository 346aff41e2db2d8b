/**
 * Calls in both directions over a pair of message ports.
 * @module
 */
import { Fault, asFault, isFaultCode, type FaultDetail } from '../../../base/fault/index.ts';

/** A message between a wallet and the process of its node. */
export type Message =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly method: string;
      readonly args: readonly unknown[];
      /** The sender's time of day, which the receiver follows. */
      readonly nowMs: number;
    }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'fault';
      readonly id: number;
      readonly code: string;
      readonly facts: FaultDetail;
    };

type Methods<T> = { readonly [M in keyof T]: (...args: never[]) => unknown };

/** One end of the line. */
export interface Rpc<Remote extends Methods<Remote>> {
  /** Calls the other end. @throws the Fault it answers, or the one given to `end` */
  call<M extends keyof Remote & string>(
    method: M,
    ...args: Parameters<Remote[M]>
  ): Promise<Awaited<ReturnType<Remote[M]>>>;
  /** Takes a message from the other end. */
  receive(message: Message): void;
  /** The other end is gone: every open call fails. */
  end(fault: Fault): void;
}

/** How an end works. */
export interface RpcOptions<Local> {
  readonly local: Local;
  readonly send: (message: Message) => void;
  readonly nowMs: () => number;
  /** Told of each call; the result is told of its end. */
  readonly watch?: (method: string) => () => void;
  /** Called with each answer; sends it when what it says is durable. By default at once. */
  readonly release?: (send: () => void) => void;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (fault: Fault) => void;
  readonly ended: (() => void) | undefined;
}

/** Opens one end. */
export function openRpc<Remote extends Methods<Remote>, Local extends Methods<Local>>(
  options: RpcOptions<Local>,
): Rpc<Remote> {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let ended: Fault | undefined;
  return {
    call: (method, ...args) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended);
        const id = ++lastId;
        waiting.set(id, { resolve, reject, ended: options.watch?.(method) });
        options.send({ kind: 'call', id, method, args, nowMs: options.nowMs() });
      }),
    receive: (message) => {
      if (message.kind === 'call') return void answer(options, message);
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      call?.ended?.();
      if (message.kind === 'answer') return call?.resolve(message.value as never);
      call?.reject(faultOf(message.code, message.facts));
    },
    end: (fault) => {
      ended = fault;
      const open = [...waiting.values()];
      waiting.clear();
      for (const call of open) {
        call.ended?.();
        call.reject(fault);
      }
    },
  };
}

async function answer<Local extends Methods<Local>>(
  { local, send, release = (now) => now() }: RpcOptions<Local>,
  { id, method, args }: Message & { kind: 'call' },
): Promise<void> {
  try {
    const value: unknown = await local[method as keyof Local](...(args as never[]));
    release(() => send({ kind: 'answer', id, value }));
  } catch (error) {
    const { code, facts } = asFault(error, 'WALLET_BROKEN');
    release(() => send({ kind: 'fault', id, code, facts }));
  }
}

function faultOf(code: string, facts: FaultDetail): Fault {
  return isFaultCode(code) ? new Fault(code, facts) : new Fault('WALLET_BROKEN');
}
