/** A layer as a picture: its maps side by side, signed values in the course's colours. */

import { PALETTE, channels } from "./palette.js";

const [NEGATIVE, NEUTRAL, POSITIVE] = [PALETTE.orange, PALETTE.neutral, PALETTE.purple].map(channels);
const TARGET_WIDTH = 800;

export class Mosaic {
  #canvas;
  #shape;
  #perRow;
  #small = document.createElement("canvas"); // one pixel a unit, one between maps

  constructor(canvas, shape, perRow) {
    const [maps, rows, columns] = shape;
    this.#canvas = canvas;
    this.#shape = shape;
    this.#perRow = Math.min(perRow, maps);
    this.#small.width = this.#perRow * (columns + 1) - 1;
    this.#small.height = Math.ceil(maps / this.#perRow) * (rows + 1) - 1;
    this.scale = Math.max(1, Math.floor(TARGET_WIDTH / this.#small.width));
    canvas.width = this.#small.width * this.scale;
    canvas.height = this.#small.height * this.scale;
  }

  /** Paint all values; all maps share the scale. */
  paint(values) {
    const [maps, rows, columns] = this.#shape;
    const context = this.#small.getContext("2d");
    const image = context.createImageData(this.#small.width, this.#small.height);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    let k = 0;
    for (let map = 0; map < maps; map++) {
      for (let row = 0; row < rows; row++) {
        const { x, y } = this.#corner({ map, row, column: 0 });
        let place = 4 * (y * this.#small.width + x);
        for (let column = 0; column < columns; column++, place += 4) {
          const share = largest > 0 ? values[k++] / largest : 0;
          const hue = share < 0 ? NEGATIVE : POSITIVE;
          for (let c = 0; c < 3; c++) image.data[place + c] = NEUTRAL[c] + (hue[c] - NEUTRAL[c]) * Math.abs(share);
          image.data[place + 3] = 255;
        }
      }
    }
    context.putImageData(image, 0, 0);
    const big = this.#canvas.getContext("2d");
    big.imageSmoothingEnabled = false;
    big.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    big.drawImage(this.#small, 0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** Outline a window (map, row, column, maps, rows, columns) in each of its maps. */
  outline(window) {
    const context = this.#canvas.getContext("2d");
    for (let map = window.map; map < window.map + window.maps; map++) {
      const { x, y } = this.#corner({ map, row: window.row, column: window.column });
      const frame = [x, y, window.columns, window.rows].map((length) => length * this.scale);
      for (const [width, colour] of [[6, "#fff"], [3, PALETTE.blue]]) {
        Object.assign(context, { lineWidth: width, strokeStyle: colour });
        context.strokeRect(...frame);
      }
    }
  }

  /** The unit at a place of the canvas in CSS pixels, or null between two maps. */
  unitAt(left, top) {
    const frame = this.#canvas.getBoundingClientRect();
    const [, rows, columns] = this.#shape;
    const x = Math.floor((left / frame.width) * this.#small.width);
    const y = Math.floor((top / frame.height) * this.#small.height);
    const [across, down] = [Math.floor(x / (columns + 1)), Math.floor(y / (rows + 1))];
    const unit = { map: down * this.#perRow + across, row: y % (rows + 1), column: x % (columns + 1) };
    return this.#has(unit) ? unit : null;
  }

  /** The unit dx to the right and dy below, over the borders of maps; the same unit at the picture's border. */
  neighbour(unit, dx, dy) {
    const [, rows, columns] = this.#shape;
    const x = (unit.map % this.#perRow) * columns + unit.column + dx;
    const y = Math.floor(unit.map / this.#perRow) * rows + unit.row + dy;
    if (x < 0 || y < 0 || x >= this.#perRow * columns) return unit;
    const map = Math.floor(y / rows) * this.#perRow + Math.floor(x / columns);
    const next = { map, row: y % rows, column: x % columns };
    return this.#has(next) ? next : unit;
  }

  #has({ map, row, column }) {
    return map >= 0 && map < this.#shape[0] && row < this.#shape[1] && column < this.#shape[2];
  }

  #corner({ map, row, column }) {
    const [, rows, columns] = this.#shape;
    return {
      x: (map % this.#perRow) * (columns + 1) + column,
      y: Math.floor(map / this.#perRow) * (rows + 1) + row,
    };
  }
}
