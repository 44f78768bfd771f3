/** The sheet of paper: mouse, pen, finger or keyboard put ink on it. */

const SIDE = 280;
const STROKE = 24;
const STEP = 10; // one arrow key
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  #context;
  #canvas;
  #mark;
  #said;
  #changed;
  #pen = { x: SIDE / 2, y: SIDE / 4, down: false };
  #pointer = null; // the one that draws

  /**
   * @param {HTMLCanvasElement} canvas the paper
   * @param {HTMLElement} mark shows where the keyboard's pen is
   * @param {HTMLElement} said takes a sentence on the keyboard's pen
   * @param {() => void} changed called when there is new ink
   */
  constructor(canvas, mark, said, changed) {
    canvas.width = canvas.height = SIDE;
    this.#canvas = canvas;
    this.#mark = mark;
    this.#said = said;
    this.#changed = changed;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(this.#context, { lineCap: "round", lineJoin: "round", lineWidth: STROKE });
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => {
        if (event.pointerId === this.#pointer?.id) this.#pointer = null;
      });
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    this.clear();
  }

  /** Take a new sheet, the pen up. */
  clear() {
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, SIDE, SIDE);
    this.#pen.down = false;
    this.#placeMark();
    this.#said.textContent = "";
  }

  /** Put an image of 28 × 28 pixels in 0..255 on the paper. */
  show(pixels) {
    this.clear();
    const cell = SIDE / 28;
    pixels.forEach((pixel, k) => {
      this.#context.fillStyle = `rgb(${255 - pixel} ${255 - pixel} ${255 - pixel})`;
      this.#context.fillRect((k % 28) * cell, Math.floor(k / 28) * cell, cell, cell);
    });
  }

  /** The ink, 0..1, rows from the top, and the side of the paper. */
  ink() {
    const { data } = this.#context.getImageData(0, 0, SIDE, SIDE);
    return [Float32Array.from({ length: SIDE * SIDE }, (_, k) => 1 - data[4 * k] / 255), SIDE];
  }

  #press(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = { id: event.pointerId, ...this.#place(event) };
    this.#stroke(this.#pointer, this.#pointer);
  }

  #drag(event) {
    if (event.pointerId !== this.#pointer?.id) return;
    const place = this.#place(event);
    this.#stroke(this.#pointer, place);
    Object.assign(this.#pointer, place);
  }

  #place(event) {
    const frame = this.#canvas.getBoundingClientRect();
    const scale = SIDE / frame.width;
    return { x: (event.clientX - frame.left) * scale, y: (event.clientY - frame.top) * scale };
  }

  #key(event) {
    const move = MOVES[event.key];
    if ((!move && event.key !== " ") || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const pen = this.#pen;
    const from = { x: pen.x, y: pen.y };
    if (move) {
      pen.x = Math.min(SIDE - STEP, Math.max(STEP, pen.x + STEP * move[0]));
      pen.y = Math.min(SIDE - STEP, Math.max(STEP, pen.y + STEP * move[1]));
    } else {
      pen.down = !pen.down;
    }
    if (pen.down) this.#stroke(from, pen);
    this.#placeMark();
    this.#said.textContent = `Pen ${pen.down ? "down" : "up"}, row ${pen.y / STEP}, column ${pen.x / STEP} of 28.`;
  }

  #stroke(from, to) {
    this.#context.strokeStyle = "#000";
    this.#context.beginPath();
    this.#context.moveTo(from.x, from.y);
    this.#context.lineTo(to.x, to.y);
    this.#context.stroke();
    this.#changed();
  }

  #placeMark() {
    this.#mark.style.left = `${(100 * this.#pen.x) / SIDE}%`;
    this.#mark.style.top = `${(100 * this.#pen.y) / SIDE}%`;
    this.#mark.classList.toggle("is-down", this.#pen.down);
  }
}
