/**
 * The simulated world itself: same seed, same history; what a crash cuts never comes back.
 * @module
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explore } from './explore.ts';
import { Link, Mailbox, World, type Life } from './world.ts';

const CALLS = 20;
const TIMEOUT = { timeoutMs: 450, lost: () => new Error('no answer') };
const IDEAL = { lossPercent: 0, duplicatePercent: 0, delayMs: [1, 1] } as const;

/** A payer retries calls to a host that crashes and keeps its outcomes on disk. */
function payerAndHost(world: World): { disk: Map<number, string>; main: Promise<void> } {
  const disk = new Map<number, string>();
  const link = new Link(world);
  const mailbox = new Mailbox<number, string>();
  const host = world.node('host', (life) => {
    const store = life.through({
      write: (id: number) => Promise.resolve(void disk.set(id, disk.get(id) ?? `answer ${id}`)),
    });
    mailbox.serve(life, async (id) => {
      await store.write(id);
      return disk.get(id)!;
    });
  });
  const payer = world.node('payer', () => undefined);
  const main = async (): Promise<void> => {
    host.start();
    const life = payer.start();
    const call = mailbox.caller(life, link, TIMEOUT);
    for (let id = 0; id < CALLS; id += 1) {
      if (world.random.below(4) === 0) host.restart(300);
      life.note(`got ${await untilAnswered(() => call(id))}`);
    }
  };
  return { disk, main: main() };
}

async function untilAnswered(call: () => Promise<string>): Promise<string> {
  for (;;) {
    try {
      return await call();
    } catch {
      continue;
    }
  }
}

test('the same seed gives the same history five times, another seed another one', async () => {
  const hashes: string[] = [];
  for (const seed of [7, 7, 7, 7, 7, 8]) {
    const world = new World({ seed });
    const { disk, main } = payerAndHost(world);
    await world.run(main);
    assert.equal(disk.size, CALLS);
    hashes.push(world.traceHash());
  }
  assert.equal(new Set(hashes.slice(0, 5)).size, 1);
  assert.equal(new Set(hashes).size, 2);
});

describe('time', () => {
  test('sleeps and timers fire in order, at their time', async () => {
    const world = new World({ seed: 1 });
    const startMs = world.clock.now();
    const seen: string[] = [];
    const see = (name: string): void => {
      seen.push(`${name}@${world.clock.now() - startMs}`);
    };
    world.clock.timer(30, () => see('c'));
    world.clock.timer(10, () => see('a'));
    world.clock.timer(10, () => see('b'));
    world.clock.timer(20, () => see('cancelled'))();
    await world.run(world.clock.sleep(40).then(() => see('d')));
    assert.deepEqual(seen, ['a@10', 'b@10', 'c@30', 'd@40']);
    assert.equal(world.events, 4);
  });

  test('an aborted sleep rejects with the reason of the signal', async () => {
    const world = new World({ seed: 1 });
    const abort = new AbortController();
    world.clock.timer(5, () => abort.abort(new Error('enough')));
    await assert.rejects(world.run(world.clock.sleep(10, abort.signal)), /enough/);
    await assert.rejects(world.clock.sleep(10, abort.signal), /enough/);
  });

  test('a node may be off, its durations are not', () => {
    const world = new World({ seed: 1 });
    const life = world.node('host', () => undefined).start({ skewMs: 5000 });
    assert.equal(life.now() - world.clock.now(), 5000);
    assert.equal(life.monotonicMs(), world.clock.monotonicMs());
  });
});

describe('crashes', () => {
  test('what a life waits for never comes, and the next life starts afresh', async () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    const host = world.node('host', async (life) => {
      const born = host.crashes;
      seen.push(`start ${born}`);
      life.timer(20, () => seen.push(`timer ${born}`));
      await life.sleep(20);
      seen.push(`slept ${born}`);
    });
    host.start();
    world.clock.timer(10, () => host.restart(5));
    await world.run(world.clock.sleep(100));
    assert.deepEqual(seen, ['start 0', 'start 1', 'timer 1', 'slept 1']);
  });

  test('a call through a port is cut before or after it was done', async () => {
    const outcomes = new Set<string>();
    for (let crashAfterEvents = 1; crashAfterEvents <= 3; crashAfterEvents += 1) {
      const world = new World({ seed: 1 });
      let written = false;
      let answered = false;
      const host = world.node('host', async (life) => {
        await life.through({ write: () => Promise.resolve((written = true)) }).write();
        answered = true;
      });
      host.start({ crashAfterEvents });
      await world.run(world.clock.sleep(50));
      outcomes.add(`written ${written}, answered ${answered}`);
    }
    assert.deepEqual(
      [...outcomes],
      [
        'written false, answered false',
        'written true, answered false',
        'written true, answered true',
      ],
    );
  });

  test('a port that throws does so for the node', async () => {
    const world = new World({ seed: 1 });
    const refuse = (): Promise<void> => Promise.reject(new Error('disk full'));
    const life = world.node('host', () => undefined).start();
    await assert.rejects(world.run(life.through({ refuse }).refuse()), /disk full/);
  });
});

describe('links', () => {
  const echo = (life: Life, mailbox: Mailbox<Uint8Array, number>): void =>
    mailbox.serve(life, (bytes) => {
      if (bytes.length === 0) throw new Error('nothing to count');
      return (bytes[0] = bytes.length);
    });

  function pair(seed: number, options: object): { world: World; link: Link; lives: [Life, Life] } {
    const world = new World({ seed });
    const lives: [Life, Life] = [
      world.node('payer', () => undefined).start(),
      world.node('host', () => undefined).start(),
    ];
    return { world, link: new Link(world, options), lives };
  }

  test('an answer, an error, and a message of its own for the receiver', async () => {
    const { world, link, lives } = pair(1, IDEAL);
    const mailbox = new Mailbox<Uint8Array, number>();
    echo(lives[1], mailbox);
    const call = mailbox.caller(lives[0], link, TIMEOUT);
    const bytes = new Uint8Array(3);
    assert.equal(await world.run(call(bytes)), 3);
    assert.deepEqual(bytes, new Uint8Array(3));
    await assert.rejects(world.run(call(new Uint8Array())), /nothing to count/);
  });

  test('a cut link and a node that is down give no answer', async () => {
    const { world, link, lives } = pair(1, IDEAL);
    const mailbox = new Mailbox<Uint8Array, number>();
    const call = mailbox.caller(lives[0], link, TIMEOUT);
    await assert.rejects(world.run(call(new Uint8Array(1))), /no answer/);
    echo(lives[1], mailbox);
    link.cut = true;
    await assert.rejects(world.run(call(new Uint8Array(1))), /no answer/);
  });

  test('a request may be handled although its answer is lost, and more than once', async () => {
    let lostAnswers = 0;
    let repeated = 0;
    await explore({
      seeds: 50,
      scenario: async (world) => {
        let handled = 0;
        const lives = [world.node('payer', () => undefined), world.node('host', () => undefined)];
        const [payer, host] = [lives[0]!.start(), lives[1]!.start()];
        const mailbox = new Mailbox<null, null>();
        mailbox.serve(host, (none) => {
          handled += 1;
          return none;
        });
        const link = new Link(world, { lossPercent: 30, duplicatePercent: 30 });
        const answered = await mailbox
          .caller(
            payer,
            link,
            TIMEOUT,
          )(null)
          .then(
            () => true,
            () => false,
          );
        await world.clock.sleep(1000);
        lostAnswers += Number(!answered && handled > 0);
        repeated += Number(handled > 1);
      },
    });
    assert.ok(lostAnswers > 0);
    assert.ok(repeated > 0);
  });
});

describe('failures', () => {
  const failing: readonly [name: string, scenario: (world: World) => Promise<void>, RegExp][] = [
    ['of the scenario', () => Promise.reject(new Error('oops')), /seed 1 fails .*oops/],
    [
      'of a node',
      (world) => {
        world.node('host', () => Promise.reject(new Error('bad boot'))).start();
        return world.clock.sleep(10);
      },
      /bad boot/,
    ],
    [
      'of an invariant',
      (world) => {
        world.invariant(() => assert.ok(world.events < 3));
        for (let i = 0; i < 9; i += 1) world.clock.timer(i, () => world.note('host', `event ${i}`));
        return world.clock.sleep(20);
      },
      /fails after 3 events: AssertionError[\s\S]* host event 2\nrun it again: TOLLCALL_SIM_SEED=1/,
    ],
    ['that stand still', () => new Promise(() => undefined), /stands still/],
    [
      'without an end',
      async (world) => {
        for (;;) await world.clock.sleep(1);
      },
      /no end after 50 events/,
    ],
  ];
  for (const [name, scenario, message] of failing) {
    test(name, async () => {
      await assert.rejects(explore({ seeds: 3, scenario, maxEvents: 50 }), { message });
    });
  }
});
