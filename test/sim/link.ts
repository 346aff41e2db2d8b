/**
 * Links of a simulated world: they lose, delay and repeat messages, and can be cut.
 * @module
 */
import type { Life, Stage } from './node.ts';

/** How bad a link is. */
export interface LinkOptions {
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  /** Each message takes from the first to the second, so that messages overtake one another. */
  readonly delayMs: readonly [least: number, most: number];
}

const DEFAULTS: LinkOptions = { lossPercent: 10, duplicatePercent: 5, delayMs: [1, 200] };

/** A way between nodes, the same in both directions. */
export class Link {
  /** True while nothing passes. */
  cut = false;
  readonly #world: Stage;
  readonly #options: LinkOptions;

  constructor(world: Stage, options: Partial<LinkOptions> = {}) {
    this.#world = world;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Delivers a message later, once, twice or never. The receiver gets its own copy. */
  send<Message>(owner: string, message: Message, deliver: (message: Message) => void): void {
    const { random } = this.#world;
    const { lossPercent, duplicatePercent } = this.#options;
    if (this.cut || random.below(100) < lossPercent) return this.#world.note(owner, 'message lost');
    const copies = random.below(100) < duplicatePercent ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const sent = structuredClone(message);
      this.#world.at(this.#delayMs(), owner, () => deliver(sent));
    }
  }

  #delayMs(): number {
    const [least, most] = this.#options.delayMs;
    return least + this.#world.random.below(most - least + 1);
  }
}

/** What a node answers when it is called; each life opens it anew. */
export class Mailbox<Request, Answer> {
  #open: { readonly life: Life; readonly handle: Handler<Request, Answer> } | undefined;

  /** Answers calls for as long as this life lasts. */
  serve(life: Life, handle: Handler<Request, Answer>): void {
    this.#open = { life, handle };
  }

  /**
   * A remote call over a link, for one life of the caller. The request or the answer may be lost,
   * late or repeated. Without an answer in time it rejects with `lost()`; what the handler throws
   * is sent back as an error. A node that is down answers nothing.
   */
  caller(life: Life, link: Link, options: CallOptions): (request: Request) => Promise<Answer> {
    return (request) =>
      new Promise((resolve, reject) => {
        const { timeoutMs, lost } = options;
        const giveUp = life.timer(timeoutMs, () => reject(lost()));
        const finish = (outcome: Outcome<Answer>): void =>
          life.ifAlive(() => {
            giveUp();
            if ('error' in outcome) reject(outcome.error);
            else resolve(outcome.answer);
          });
        link.send(life.name, request, (received) => this.#deliver(received, link, finish));
      });
  }

  #deliver(request: Request, link: Link, reply: (outcome: Outcome<Answer>) => void): void {
    const open = this.#open;
    if (open === undefined) return;
    const { life, handle } = open;
    if (!life.alive) return;
    life.spawn(async () => {
      const outcome = await outcomeOf(() => handle(request));
      life.ifAlive(() => {
        // An error is an object of the program, not of the wire: it is passed on as it is.
        if ('error' in outcome) link.send(life.name, undefined, () => reply(outcome));
        else link.send(life.name, outcome.answer, (answer) => reply({ answer }));
      });
    });
  }
}

/** What answers a call. */
export type Handler<Request, Answer> = (request: Request) => Answer | Promise<Answer>;

/** When a caller gives up, and what it is told then. */
export interface CallOptions {
  readonly timeoutMs: number;
  readonly lost: () => Error;
}

type Outcome<Answer> = { readonly answer: Answer } | { readonly error: unknown };

async function outcomeOf<Answer>(call: () => Answer | Promise<Answer>): Promise<Outcome<Answer>> {
  try {
    return { answer: await call() };
  } catch (error) {
    return { error };
  }
}
