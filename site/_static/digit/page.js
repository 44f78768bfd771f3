/** The page "Draw a digit": paper, outputs, every activation, and where a unit's value comes from. */

import { makeBars } from "./bars.js";
import { element } from "./dom.js";
import { LAYERS, explain, layerNamed, said, sizeInWords, windowOf } from "./layers.js";
import { Mosaic } from "./mosaic.js";
import { loadNetwork } from "./network.js";
import { toMnist } from "./normalise.js";
import { Pad } from "./pad.js";
import { PALETTE } from "./palette.js";

const QUIET = 400; // ms without new ink before the result is said
const PICTURE_COLUMNS = { 32: 8, 64: 8, 200: 20 };
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Bring the page to life in its empty element. */
export function start(lab) {
  lab.innerHTML = INTERFACE;
  for (const [name, colour] of Object.entries(PALETTE)) lab.style.setProperty(`--${name}`, colour); // for digit.css
  const find = (name) => lab.querySelector(`.digit-${name}`);
  const bars = makeBars(find("bars"));
  const mosaics = makeLayers(find("layers"));
  let network = null; // a promise, once something is to be read
  let wanted = null;
  let busy = false;
  let shown = null; // the activations on the page
  let chosen = { layer: layerNamed("conv1"), unit: { map: 0, row: 10, column: 10 } };
  let timer;

  const pad = new Pad(find("pad"), find("mark"), find("pen"), () => {
    requestRead(() => ({ pixels: toMnist(...pad.ink()), label: null }));
  });
  find("clear").addEventListener("click", () => {
    pad.clear();
    requestRead(() => ({ pixels: null }));
    find("pad").focus();
  });
  makePicks(find("picks"), (pixels, label) => {
    pad.show(pixels);
    requestRead(() => ({ pixels, label }));
  }).catch(complain);
  for (const [layer, { canvas, mosaic }] of mosaics) {
    canvas.addEventListener("click", (event) => {
      const frame = canvas.getBoundingClientRect();
      const unit = mosaic.unitAt(event.clientX - frame.left, event.clientY - frame.top);
      if (unit) choose(layer, unit);
    });
    canvas.addEventListener("keydown", (event) => {
      const unit = chosen.layer === layer ? chosen.unit : { map: 0, row: 0, column: 0 };
      const next = unitByKey(event, mosaic, layer, unit);
      if (!next) return;
      event.preventDefault();
      choose(layer, chosen.layer === layer ? next : unit);
    });
  }

  /** Read the newest picture as soon as the one before is done; what came between is skipped. */
  async function requestRead(picture) {
    wanted = picture;
    if (busy) return;
    busy = true;
    try {
      while (wanted) {
        await new Promise(requestAnimationFrame);
        const { pixels, label } = wanted();
        wanted = null;
        if (pixels === null) {
          forget();
        } else {
          const activations = await (await readyNetwork()).forward(pixels);
          shown = activations;
          find("error").textContent = "";
          paint();
          bars(activations.logits, label);
          sayLater(resultInWords(activations.logits, label));
        }
      }
    } catch (error) {
      wanted = null;
      complain(error);
    } finally {
      busy = false;
    }
  }

  async function readyNetwork() {
    if (network === null) {
      sayLater("The network is loading: 14 MB, once.");
      network = loadNetwork();
      network.catch(() => (network = null)); // the next stroke tries again
    }
    return await network;
  }

  function paint() {
    lab.parentElement.querySelector(".digit-still")?.setAttribute("hidden", "");
    find("inside").hidden = false;
    const { layer, unit } = chosen;
    const window = windowOf(layer, unit);
    for (const [each, { mosaic }] of mosaics) {
      mosaic.paint(shown[each.name]);
      if (window && each.name === layer.from) mosaic.outline(window);
      if (each === layer) mosaic.outline({ ...unit, maps: 1, rows: 1, columns: 1 });
    }
    readyNetwork().then(({ parameters }) => showSource(explain(layer, unit, shown, parameters)));
  }

  function choose(layer, unit) {
    chosen = { layer, unit };
    paint();
  }

  function showSource({ title, words, pictures }) {
    find("title").textContent = title;
    find("words").textContent = words;
    find("pictures").replaceChildren(
      ...pictures.map(({ name, values, shape }) => {
        const figure = element("figure", {}, [element("canvas", { role: "img", "aria-label": name }), captionOf(name)]);
        figure.classList.toggle("is-small", shape[0] === 1);
        new Mosaic(figure.firstChild, shape, PICTURE_COLUMNS[shape[0]] ?? 1).paint(values);
        return figure;
      }),
    );
  }

  function forget() {
    shown = null;
    find("inside").hidden = true;
    bars(null);
    sayLater(INVITATION);
  }

  function sayLater(words) {
    clearTimeout(timer);
    timer = setTimeout(() => (find("result").textContent = words), QUIET);
  }

  function complain(error) {
    clearTimeout(timer);
    find("result").textContent = "";
    find("error").textContent = error.message;
  }
}

function resultInWords(outputs, label) {
  const order = [...outputs.keys()].sort((a, b) => outputs[b] - outputs[a]);
  const [first, next] = order.map((digit) => said(outputs[digit]));
  const result = `The network reads ${order[0]}: its output is ${first}, the next is ${order[1]} with ${next}.`;
  if (label !== null) return `${result} The label is ${label}: ${label === order[0] ? "right" : "wrong"}.`;
  return outputs[order[0]] < 0 ? `${result} No output is above 0: it is not sure.` : result;
}

function unitByKey(event, mosaic, layer, unit) {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  if (event.key in KEYS) return mosaic.neighbour(unit, ...KEYS[event.key]);
  const step = { PageDown: 1, PageUp: -1 }[event.key];
  return step ? { ...unit, map: Math.min(layer.shape[0] - 1, Math.max(0, unit.map + step)) } : null;
}

/** Make a canvas for each layer; return them with their mosaics. */
function makeLayers(box) {
  return new Map(
    LAYERS.map((layer) => {
      const canvas = element("canvas", {
        tabindex: "0",
        role: "application",
        "data-layer": layer.name,
        "aria-label": `${layer.name}, ${sizeInWords(layer.shape)}. Arrow keys choose a unit, page keys the map.`,
      });
      const caption = captionOf("");
      caption.append(element("b", {}, [layer.name]), ` ${sizeInWords(layer.shape)}`);
      box.append(element("figure", {}, [caption, canvas]));
      return [layer, { canvas, mosaic: new Mosaic(canvas, layer.shape, layer.perRow) }];
    }),
  );
}

/** Make a button for each of the test digits: two of each class, in order. */
async function makePicks(box, pick) {
  const answer = await fetch(new URL("../digits.bin", import.meta.url));
  if (!answer.ok) throw new Error(`Expected the test digits at ${answer.url}, got: ${answer.status}. Reload the page.`);
  const pixels = new Uint8Array(await answer.arrayBuffer());
  for (let k = 0; k < pixels.length / 784; k++) {
    const digit = pixels.subarray(784 * k, 784 * (k + 1));
    const label = Math.floor(k / 2);
    const canvas = element("canvas", { "aria-hidden": "true" });
    new Mosaic(canvas, [1, 28, 28], 1).paint(Float32Array.from(digit));
    const name = `${k % 2 ? "another" : "a"} ${label} of the test set`;
    const button = element("button", { type: "button", "aria-label": name }, [canvas]);
    button.addEventListener("click", () => pick(digit, label));
    box.append(button);
  }
}

const captionOf = (text) => element("figcaption", {}, [text]);

const INVITATION = "Draw a digit, or pick one.";
const INTERFACE = `
<p class="digit-error" role="alert"></p>
<div class="digit-read">
  <div>
    <div class="digit-paper">
      <canvas class="digit-pad" tabindex="0" role="application" aria-describedby="digit-help"
        aria-label="Paper. Arrow keys move the pen, space puts it down and lifts it."></canvas>
      <i class="digit-mark"></i>
    </div>
    <p><button type="button" class="digit-clear">Clear</button> <span class="digit-pen" aria-live="polite"></span></p>
    <p id="digit-help" class="digit-hint">Draw with mouse, pen or finger. With the keyboard: arrow keys move the pen,
      space puts it down and lifts it.</p>
  </div>
  <div>
    <p class="digit-result" aria-live="polite">${INVITATION}</p>
    <table class="digit-table">
      <thead><tr><th scope="col">digit</th><th scope="col">output, from −1.5 to 1.5</th>
        <th scope="col">value</th><th scope="col">target</th></tr></thead>
      <tbody class="digit-bars"></tbody>
    </table>
  </div>
</div>
<p class="digit-hint">Or pick one of 20 digits of the test set, which the network never trained on.</p>
<div class="digit-picks" role="group" aria-label="Digits of the test set"></div>
<div class="digit-inside" hidden>
  <p class="digit-hint">Every activation, negative orange, positive purple; each layer has its own scale. Click a unit
    to see what it came from. With the keyboard: Tab to a layer, arrow keys choose a unit, page keys the map.</p>
  <div class="digit-columns">
    <div class="digit-layers"></div>
    <section class="digit-source" tabindex="0" aria-label="Where the chosen unit comes from">
      <div aria-live="polite"><p class="digit-title"></p><p class="digit-words"></p></div>
      <div class="digit-pictures"></div>
    </section>
  </div>
</div>`;
