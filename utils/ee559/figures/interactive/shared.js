// What all interactive figures share: elements, controls that follow the model, colours, pictures of values.
// A figure's source is put after this text, and PALETTE before it, so that each is one module with no imports.

const SVG = "http://www.w3.org/2000/svg";
const ORANGE = "var(--orange)"; // lighter on dark pages
const PURPLE = "var(--purple)";
let figures = 0;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) target.addEventListener(name.slice(2), value);
    else if (value === false || value === null || value === undefined) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? "" : value);
  }
  // What can have the focus keeps its keys: else JupyterLab takes the arrows and the space bar for itself.
  if (target.matches("input, select, button, [tabindex]")) target.setAttribute("data-lm-suppress-shortcuts", "true");
}

const STYLE = `
.interactive { color: var(--pst-color-text-base, var(--jp-content-font-color1, #1b1b1b)); line-height: 1.45;
  --line: var(--pst-color-border, var(--jp-border-color1, #8a8a8a)); --orange: ${PALETTE.orange};
  --purple: ${PALETTE.purple}; --blue: ${PALETTE.blue};
  max-width: 46rem; font-size: 0.95rem; }
html[data-theme="dark"] .interactive, [data-jp-theme-light="false"] .interactive {
  --orange: ${PALETTE.bright_orange}; --purple: ${PALETTE.bright_purple}; --blue: ${PALETTE.bright_blue}; }
.interactive .controls { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; align-items: end; margin: 0.3rem 0 0.6rem; }
.interactive label { display: inline-flex; flex-direction: column; min-width: 7.5rem; }
.interactive label.inline { flex-direction: row; align-items: center; gap: 0.4rem; min-width: 0; min-height: 2rem; }
.interactive input[type="range"] { width: 8rem; accent-color: ${PURPLE}; min-height: 1.6rem; }
.interactive select, .interactive button, .interactive input[type="number"] { font: inherit; color: inherit; min-height: 2rem;
  background: var(--pst-color-surface, var(--jp-layout-color2, #f2f2f2)); border: 1px solid var(--line);
  border-radius: 0.3rem; padding: 0.1rem 0.6rem; box-sizing: border-box; }
.interactive input[type="number"] { width: 4.4rem; padding: 0.1rem 0.3rem; }
.interactive :focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; }
.interactive .scroll { overflow-x: auto; }
.interactive .pictures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.interactive .pictures > div { max-width: 100%; }
.interactive svg { max-width: 100%; height: auto; display: block; }
.interactive svg text { font-family: inherit; }
.interactive .ink { fill: currentColor; }
.interactive canvas { image-rendering: pixelated; border: 1px solid #767676; background: #fff; touch-action: none; max-width: 100%; }
.interactive table { border-collapse: collapse; margin: 0.4rem 0; display: table; }
.interactive th, .interactive td { border: 1px solid var(--line); padding: 0.15rem 0.5rem; text-align: right; }
.interactive th:first-child, .interactive td:first-child { text-align: left; }
.interactive .name { font-weight: 600; margin: 0 0 0.2rem; }
.interactive .says { min-height: 1.5em; margin: 0.5rem 0 0; }
.interactive code { white-space: nowrap; color: inherit; background: none; }
.interactive :is(label, table) code { white-space: normal; overflow-wrap: normal; }
@media print { .interactive .controls { display: none; } }
`;

// Start a figure in `el`: its styles, a title for screen readers, and a sentence that they read when it changes.
function begin(el, title) {
  figures += 1;
  const says = element("p", { class: "says", "aria-live": "polite" });
  const root = element("div", { class: "interactive", role: "group", "aria-label": title }, element("style", {}, STYLE));
  el.replaceChildren(root);
  return { root, says, id: `interactive-${figures}` };
}

function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

// Call `draw` now, and after each change of one of the names, until the figure is removed.
function follow(model, names, draw) {
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    for (const name of names) model.off(`change:${name}`, draw);
  };
}

function slider(model, name, text, min, max, step = 1, told = (value) => value) {
  const value = element("span"); // not <output>, which the label would name in place of the slider
  const input = element("input", { type: "range", min, max, step });
  input.addEventListener("input", () => put(model, name, Number(input.value)));
  const show = () => {
    input.value = model.get(name);
    value.textContent = ` ${number(told(model.get(name)))}`;
    input.setAttribute("aria-valuetext", value.textContent.trim());
  };
  model.on(`change:${name}`, show);
  show();
  return element("label", {}, element("span", {}, text, value), input);
}

function checkbox(model, name, text) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("input", () => put(model, name, input.checked));
  const show = () => (input.checked = model.get(name));
  model.on(`change:${name}`, show);
  show();
  return element("label", { class: "inline" }, input, text);
}

function choice(model, name, text, options) {
  const input = element("select", {}, ...options.map(([value, words]) => element("option", { value }, words)));
  const isNumber = typeof options[0][0] === "number";
  input.addEventListener("input", () => put(model, name, isNumber ? Number(input.value) : input.value));
  const show = () => (input.value = model.get(name));
  model.on(`change:${name}`, show);
  show();
  return element("label", {}, text, input);
}

function button(text, action, attributes = {}) {
  return element("button", { type: "button", onclick: action, ...attributes }, text);
}

// Whether a value read from the page's address is one that the figure can show; limits are pairs, or lists of words.
function within(limits, key, value) {
  const limit = limits[key];
  if (limit === undefined) return true;
  if (typeof limit === "function") return limit(value);
  if (typeof limit[0] === "string") return limit.includes(value);
  return Number.isInteger(value) && value >= limit[0] && value <= limit[1];
}

// Numbers as people write them: a true minus, and no more digits than are of use.
function number(value, digits = 4) {
  if (Number.isInteger(value)) return value.toLocaleString("en").replace("-", "−");
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

// A number as a factor or a summand: in brackets if it is negative.
function factor(value) {
  return value < 0 ? `(${number(value)})` : number(value);
}

// The lecture's signed colours: orange below zero, neutral at zero, purple above; `largest` gets the full colour.
function signedColour(value, largest) {
  const share = largest > 0 ? Math.max(-1, Math.min(1, value / largest)) : 0;
  const [zero, end] = [PALETTE.neutral, share < 0 ? PALETTE.orange : PALETTE.purple].map(channels);
  return zero.map((channel, k) => Math.round(channel + (end[k] - channel) * Math.abs(share)));
}

// Red, green and blue of #rrggbb.
function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// Paint values (rows of `width`) on a canvas, a pixel a value; signed colours, or from black to white.
function paint(canvas, values, width, { signed = true, largest } = {}) {
  const height = values.length / width;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const top = largest ?? Math.max(1e-12, ...Array.from(values, Math.abs));
  const picture = new ImageData(width, height);
  for (let k = 0; k < values.length; k += 1) {
    const grey = Math.round((255 * values[k]) / top);
    const [red, green, blue] = signed ? signedColour(values[k], top) : [grey, grey, grey];
    picture.data.set([red, green, blue, 255], 4 * k);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// A table of values as SVG cells; `mark(row, column)` may return attributes for a cell and its text.
function grid(values, columns, cell, { left = 0, top = 0, mark = () => ({}) } = {}) {
  const group = drawing("g");
  values.forEach((value, k) => {
    const [row, column] = [Math.floor(k / columns), k % columns];
    const x = left + column * cell;
    const y = top + row * cell;
    const { rect = {}, text = {}, content } = mark(row, column);
    group.append(drawing("rect", { x, y, width: cell, height: cell, fill: "none", stroke: "#8a8a8a", ...rect }));
    const words = { x: x + cell / 2, y: y + cell / 2, "text-anchor": "middle", "dominant-baseline": "central" };
    group.append(drawing("text", { ...words, "font-size": cell * 0.42, class: "ink", ...text }, content ?? number(value, 3)));
  });
  return group;
}

// Move a place in a grid of rows × columns by the arrow keys, Home and End; returns whether the key was one of them.
function arrows(event, place, rows, columns) {
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const all = rows * columns;
  let next = place;
  if (event.key in moves) next = place + moves[event.key];
  else if (event.key === "Home") next = 0;
  else if (event.key === "End") next = all - 1;
  else return null;
  event.preventDefault();
  return Math.max(0, Math.min(all - 1, next));
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
