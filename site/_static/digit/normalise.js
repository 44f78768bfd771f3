/** From a drawing to an image as MNIST's are. */

const BOX = 20; // the longer side of the ink
const SIDE = 28;
const CENTRE = 14; // the row and column where the centre of mass falls, rounded: so in all of MNIST

/**
 * Scale the ink to a 20 × 20 box, each pixel the mean of the area that it covers, and shift it by whole pixels so
 * that its centre of mass is at the centre of 28 × 28.
 * @param {Float32Array} ink side × side values in 0..1, rows from the top
 * @param {number} side
 * @returns {Uint8Array|null} 784 pixels in 0..255; null where there is no ink
 */
export function toMnist(ink, side) {
  const bounds = inkBounds(ink, side);
  if (bounds === null) return null;
  const { left, top, size } = bounds;
  const cell = size / BOX;
  const box = new Float64Array(BOX * BOX);
  for (let row = 0; row < BOX; row++) {
    for (let column = 0; column < BOX; column++) {
      box[row * BOX + column] = areaMean(ink, side, left + column * cell, top + row * cell, cell);
    }
  }
  return centred(box);
}

function inkBounds(ink, side) {
  let [left, top, right, bottom] = [side, side, -1, -1];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (ink[y * side + x] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return right < 0 ? null : { left, top, size: Math.max(right - left, bottom - top) + 1 };
}

/** The mean of a square of the drawing, whose borders may cut its pixels; outside lies paper. */
function areaMean(ink, side, x0, y0, size) {
  let sum = 0;
  for (let y = Math.floor(y0); y < Math.min(side, y0 + size); y++) {
    const height = Math.min(y + 1, y0 + size) - Math.max(y, y0);
    for (let x = Math.floor(x0); x < Math.min(side, x0 + size); x++) {
      sum += ink[y * side + x] * height * (Math.min(x + 1, x0 + size) - Math.max(x, x0));
    }
  }
  return sum / (size * size);
}

function centred(box) {
  let [mass, byRow, byColumn] = [0, 0, 0];
  box.forEach((value, k) => {
    mass += value;
    byRow += value * Math.floor(k / BOX);
    byColumn += value * (k % BOX);
  });
  const [down, right] = [byRow, byColumn].map((sum) => CENTRE - Math.round(sum / mass));
  const pixels = new Uint8Array(SIDE * SIDE);
  box.forEach((value, k) => {
    const [row, column] = [Math.floor(k / BOX) + down, (k % BOX) + right];
    if (row >= 0 && row < SIDE && column >= 0 && column < SIDE) {
      pixels[row * SIDE + column] = Math.round(255 * value);
    }
  });
  return pixels;
}
