/**
 * Who imports whom: floors, rooms, doors, cycles.
 * @module
 */
import { posix } from 'node:path';
import { FLOORS, SIDE_DOORS } from './house.ts';
import { importsOf, type Problem, type Source } from './source.ts';

/** A room's place: its floor's number, then its number on the floor. */
interface Place {
  readonly name: string;
  readonly floor: number;
  readonly room: number;
}

/** Checks every import of every source file; the paths are those of the tree. */
export function checkImports(sources: readonly Source[]): Problem[] {
  const problems: Problem[] = [];
  const graph = new Map<string, string[]>();
  for (const source of sources) {
    const targets: string[] = [];
    for (const { specifier, line } of importsOf(source)) {
      if (!specifier.startsWith('.')) continue;
      const target = posix.join(posix.dirname(source.path), specifier);
      targets.push(target);
      const message = refusal(source.path, target);
      if (message !== undefined) problems.push({ file: source.path, line, ...message });
    }
    graph.set(source.path, targets);
  }
  return [...problems, ...checkRooms(sources), ...findCycles(graph)];
}

/** Every file under src must stand in a room of the table. */
function checkRooms(sources: readonly Source[]): Problem[] {
  return sources
    .filter(({ path }) => path.startsWith('src/') && placeOf(path) === undefined)
    .map(({ path }) => ({
      file: path,
      line: 1,
      rule: 'room',
      message: 'stands in no room of the table in test/tidy/house.ts',
    }));
}

/** Why a file may not import another one; undefined when it may. */
function refusal(from: string, to: string): Pick<Problem, 'rule' | 'message'> | undefined {
  if (!from.startsWith('src/')) return undefined;
  if (!to.startsWith('src/')) {
    const allowed = from.endsWith('.test.ts') && to.startsWith('test/');
    return allowed ? undefined : { rule: 'floor', message: `src may not import ${to}` };
  }
  const here = placeOf(from);
  const there = placeOf(to);
  if (here === undefined || there === undefined || here.name === there.name) return undefined;
  if (here.floor < there.floor) {
    return { rule: 'floor', message: `${here.name} may not import ${there.name}: a later floor` };
  }
  if (here.floor === there.floor && here.room < there.room) {
    return { rule: 'floor', message: `${here.name} may not import ${there.name}: to its right` };
  }
  if (to !== `src/${there.name}/index.ts` && !SIDE_DOORS.has(to)) {
    return { rule: 'door', message: `import ${there.name} through its index.ts, not ${to}` };
  }
  return undefined;
}

function placeOf(path: string): Place | undefined {
  const [, floorName = '', roomName = '', file] = path.split('/');
  const floor = FLOORS.findIndex(([name]) => name === floorName);
  const rooms = FLOORS[floor]?.[1];
  if (rooms === undefined) return undefined;
  if (rooms.length === 0) return { name: floorName, floor, room: 0 };
  const room = rooms.indexOf(roomName);
  if (room < 0 || file === undefined) return undefined;
  return { name: `${floorName}/${roomName}`, floor, room };
}

/** Each cycle once, reported at the file where it was entered. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (done.has(file)) return;
    const entered = path.indexOf(file);
    if (entered >= 0) {
      const cycle = [...path.slice(entered), file].join(' > ');
      problems.push({ file, line: 1, rule: 'cycle', message: `imports itself: ${cycle}` });
      return;
    }
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return problems;
}
