/**
 * Images of lanes as commits and folds carry them: bytes, one after the other.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { readImage, type LaneImage } from '../../pay/tick/index.ts';

/** An image with its bytes. */
export interface LaneImageRead extends LaneImage {
  readonly packed: Uint8Array;
}

/** An image of a worker, and the version of the row that it is brought up from. */
export interface LaneLeap {
  readonly from: number;
  readonly image: LaneImageRead;
}

const FROM_BYTES = 4;

/** Reads images that stand one after the other. @throws Fault `BYTES_MALFORMED` */
export function readLaneImages(images: Uint8Array): LaneImageRead[] {
  const found: LaneImageRead[] = [];
  for (let at = 0; at < images.length;) {
    const image = readPacked(images, at);
    found.push(image);
    at = image.end;
  }
  return found;
}

/** Reads what `LaneLogFold.images` holds. @throws Fault `BYTES_MALFORMED` */
export function readLaneLeaps(bytes: Uint8Array): LaneLeap[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: LaneLeap[] = [];
  for (let at = 0; at < bytes.length;) {
    const image = readPacked(bytes, at + FROM_BYTES);
    found.push({ from: view.getUint32(at, true), image });
    at = image.end;
  }
  return found;
}

/** Writes what `readLaneLeaps` reads. */
export function packLaneLeaps(leaps: readonly LaneLeap[]): Uint8Array {
  const size = leaps.reduce((total, { image }) => total + FROM_BYTES + image.packed.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { from, image } of leaps) {
    view.setUint32(at, from, true);
    bytes.set(image.packed, at + FROM_BYTES);
    at += FROM_BYTES + image.packed.length;
  }
  return bytes;
}

function readPacked(bytes: Uint8Array, at: number): LaneImageRead {
  const image = readImage(bytes, at);
  if (image === undefined) throw new Fault('BYTES_MALFORMED', { name: 'images' });
  return Object.assign(image, { packed: bytes.subarray(at, image.end) });
}
