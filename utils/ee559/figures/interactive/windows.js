// Padding, stride, kernel, dilation: a window moves over an input, as a convolution or as max-pooling.

// How many windows lie along a side of `n` values; 0 or less if none does. As in torch's documentation.
function outputSize(n, { kernel_size: k, stride: s, padding: p, dilation: d, ceil_mode: ceil }) {
  const room = n + 2 * p - d * (k - 1) - 1;
  if (room < 0 && !ceil) return 0;
  let size = (ceil ? Math.ceil(room / s) : Math.floor(room / s)) + 1;
  if (ceil && (size - 1) * s >= n + p) size -= 1; // a window that begins in the padding at the end is dropped
  return size;
}

// The first thing that makes the settings impossible, in words, or "".
function fault(n, settings) {
  const { kernel_size: k, padding: p, dilation: d, operation } = settings;
  const reach = d * (k - 1) + 1;
  if (operation === "max-pooling" && 2 * p > k)
    return `Max-pooling allows padding up to half of the kernel size, here ${Math.floor(k / 2)}: a window must not see padding alone.`;
  if (outputSize(n, settings) < 1)
    return `The window reaches over ${reach} values, and the padded input has ${n + 2 * p}: take a smaller kernel or dilation, or more padding.`;
  return "";
}

// The values that the window of output (row, column) sees: [input row, input column, value or null in padding].
function seen(input, n, row, column, { kernel_size: k, stride: s, padding: p, dilation: d }) {
  const cells = [];
  for (let a = 0; a < k; a += 1)
    for (let b = 0; b < k; b += 1) {
      const [i, j] = [row * s - p + a * d, column * s - p + b * d];
      const inside = i >= 0 && j >= 0 && i < n && j < n;
      cells.push([i, j, inside ? input[i * n + j] : null]);
    }
  return cells;
}

function valueOf(cells, weight, operation) {
  if (operation === "max-pooling") return Math.max(...cells.map(([, , value]) => value ?? -Infinity));
  return cells.reduce((sum, [, , value], k) => sum + (value ?? 0) * weight[k], 0);
}

// All outputs of a square input of n × n, row by row.
function apply(input, n, weight, settings) {
  const size = outputSize(n, settings);
  return Array.from({ length: size * size }, (_, place) =>
    valueOf(seen(input, n, Math.floor(place / size), place % size, settings), weight, settings.operation),
  );
}

const LIMITS = {
  operation: ["convolution", "max-pooling"],
  input_size: [1, 9],
  kernel_size: [1, 5],
  stride: [1, 4],
  padding: [0, 3],
  dilation: [1, 3],
  place: [0, 300],
};
const compute = { outputSize, fault, apply, accepts: (key, value) => within(LIMITS, key, value) };
const SETTINGS = ["operation", "kernel_size", "stride", "padding", "dilation", "ceil_mode"];

// Small whole numbers that look irregular and are the same for everybody.
const inputOf = (n) => Array.from({ length: n * n }, (_, k) => ((k * 7 + Math.floor(k / n) * 3) % 10) - 3);
const weightOf = (k) => Array.from({ length: k * k }, (_, place) => [1, 0, -1, 2][(place + Math.floor(place / k)) % 4]);

function render({ model, el }) {
  const { root, says } = begin(el, "A window that moves over an input");
  const picture = element("div", { class: "pictures" });
  const formula = element("p");
  const play = button("Play", () => put(model, "playing", !model.get("playing")));
  const step = (by) => () => put(model, "place", model.get("place") + by);
  root.append(
    element(
      "div",
      { class: "controls" },
      choice(model, "operation", "Operation", LIMITS.operation.map((name) => [name, name])),
      slider(model, "input_size", "Input size", ...LIMITS.input_size),
      slider(model, "kernel_size", "Kernel size", ...LIMITS.kernel_size),
      slider(model, "stride", "Stride", ...LIMITS.stride),
      slider(model, "padding", "Padding", ...LIMITS.padding),
      slider(model, "dilation", "Dilation", ...LIMITS.dilation),
      checkbox(model, "ceil_mode", "ceil_mode (pooling)"),
    ),
    element("div", { class: "controls" }, button("◀ Back", step(-1)), play, button("Step ▶", step(1))),
    picture,
    formula,
    says,
  );

  const draw = () => {
    const settings = Object.fromEntries(SETTINGS.map((name) => [name, model.get(name)]));
    settings.ceil_mode = settings.ceil_mode && settings.operation === "max-pooling";
    const n = model.get("input_size");
    const wrong = fault(n, settings);
    const size = wrong ? 0 : outputSize(n, settings);
    const { kernel_size: k, stride: s, padding: p, dilation: d } = settings;
    const rounding = settings.ceil_mode ? "⌈" : "⌊";
    const closing = settings.ceil_mode ? "⌉" : "⌋";
    formula.textContent = `Along each side: ${rounding}(${n} + 2·${p} − ${d}·(${k} − 1) − 1) / ${s}${closing} + 1 = ${wrong ? "no window" : size}${
      settings.ceil_mode && !wrong && size < Math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1 ? ", the last window dropped: it would begin in the padding" : ""
    }`;
    if (wrong) {
      says.textContent = wrong;
      picture.replaceChildren();
      return;
    }
    const place = ((model.get("place") % (size * size)) + size * size) % (size * size);
    const [row, column] = [Math.floor(place / size), place % size];
    const input = inputOf(n);
    const weight = weightOf(k);
    const cells = seen(input, n, row, column, settings);
    picture.replaceChildren(
      element("div", {}, element("p", { class: "name" }, `Input ${n}×${n}${p ? `, padding ${p}` : ""}`), inputPicture(input, n, settings, cells)),
      ...(settings.operation === "convolution" ? [element("div", {}, element("p", { class: "name" }, `Kernel ${k}×${k}`), tablePicture(weight, k, 30))] : []),
      element("div", {}, element("p", { class: "name" }, `Output ${size}×${size}`), outputPicture(apply(input, n, weight, settings), size, place)),
    );
    const shown = cells.map(([, , value], at) =>
      settings.operation === "convolution" ? `${factor(value ?? 0)}·${factor(weight[at])}` : value === null ? "−∞" : number(value),
    );
    const value = number(valueOf(cells, weight, settings.operation));
    const sum = settings.operation === "convolution" ? shown.join(" + ") : `max(${shown.join(", ")})`;
    says.textContent = `output[${row}, ${column}] = ${sum} = ${value}`;
  };

  const inputPicture = (input, n, { padding: p, operation }, cells) => {
    const inWindow = new Set(cells.map(([i, j]) => `${i},${j}`));
    const last = Math.max(n + p, ...cells.map(([i, j]) => Math.max(i, j) + 1));
    const side = last + p;
    const values = Array.from({ length: side * side }, (_, at) => {
      const [i, j] = [Math.floor(at / side) - p, (at % side) - p];
      return i >= 0 && j >= 0 && i < n && j < n ? input[i * n + j] : null;
    });
    const unit = 30;
    const svg = drawing("svg", { viewBox: `-2 -2 ${side * unit + 4} ${side * unit + 4}`, width: side * unit, role: "img", "aria-label": "the padded input; the window's cells are framed" });
    svg.append(
      grid(values, side, unit, {
        mark: (a, b) => {
          const key = `${a - p},${b - p}`;
          const isPadding = values[a * side + b] === null;
          const within = inWindow.has(key);
          return {
            rect: { fill: within ? PALETTE.light_orange : isPadding ? "#8886" : "none", stroke: within ? ORANGE : "#8a8a8a", "stroke-width": within ? 3 : 1 },
            text: within ? { fill: "#1b1b1b", class: "" } : {},
            content: isPadding ? (operation === "convolution" ? "0" : "−∞") : undefined,
          };
        },
      }),
    );
    return svg;
  };

  const tablePicture = (values, side, unit) =>
    drawing("svg", { viewBox: `-2 -2 ${side * unit + 4} ${side * unit + 4}`, width: side * unit, role: "img", "aria-label": "the kernel" }, grid(values, side, unit));

  const outputPicture = (values, size, place) => {
    const unit = 38;
    const svg = drawing("svg", { viewBox: `-2 -2 ${size * unit + 4} ${size * unit + 4}`, width: size * unit, tabindex: 0, role: "img", class: "output", "aria-label": "the output; move over it with the arrow keys" });
    svg.append(grid(values, size, unit, { mark: (a, b) => (a * size + b === place ? { rect: { stroke: ORANGE, "stroke-width": 4 } } : {}) }));
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      const [a, b] = [Math.floor(y * size), Math.floor(x * size)];
      const chosen = a * size + b;
      if (a >= 0 && b >= 0 && a < size && b < size && chosen !== place) put(model, "place", chosen);
    };
    set(svg, { onpointermove: at, onpointerdown: at });
    svg.addEventListener("keydown", (event) => {
      const next = arrows(event, place, size, size);
      if (next === null) return;
      put(model, "place", next);
      picture.querySelector(".output").focus(); // the old one is gone
    });
    return svg;
  };

  let timer = null;
  const run = () => {
    clearInterval(timer);
    play.textContent = model.get("playing") ? "Pause" : "Play";
    const slow = matchMedia("(prefers-reduced-motion: reduce)").matches ? 2500 : 900;
    if (model.get("playing")) timer = setInterval(step(1), slow);
  };
  const stops = [follow(model, [...SETTINGS, "input_size", "place"], draw), follow(model, ["playing"], run)];
  return () => {
    clearInterval(timer);
    stops.forEach((stop) => stop());
  };
}

export default { render };
