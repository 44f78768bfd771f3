// A digit through the lecture's network: every step's size, parameters and products, for other settings too.

const STEPS = ["input", "conv1", "pool1", "relu1", "conv2", "pool2", "relu2", "fc1", "relu3", "fc2"];

// The lecture's table for an image of side × side: [step, size, parameters, products], or the step that does not fit.
function table({ side, kernel1, pool1, kernel2, pool2, nb_hidden: hidden, channels1 = 32, channels2 = 64 }) {
  const rows = [["input", [1, side, side], 0, 0]];
  let [channels, n] = [1, side];
  for (const [k, [kernel, out, pool]] of [[kernel1, channels1, pool1], [kernel2, channels2, pool2]].entries()) {
    n = n - kernel + 1;
    if (n < 1) return { rows, fault: `conv${k + 1}: the kernel of ${kernel} is larger than the ${n + kernel - 1}×${n + kernel - 1} that comes in.` };
    const weights = out * channels * kernel * kernel;
    rows.push([`conv${k + 1}`, [out, n, n], weights + out, weights * n * n]);
    n = Math.floor(n / pool);
    if (n < 1) return { rows, fault: `pool${k + 1}: a window of ${pool} finds no place.` };
    rows.push([`pool${k + 1}`, [out, n, n], 0, 0], [`relu${k + 1}`, [out, n, n], 0, 0]);
    channels = out;
  }
  const flat = channels * n * n;
  rows.push(["fc1", [hidden], flat * hidden + hidden, flat * hidden], ["relu3", [hidden], 0, 0], ["fc2", [10], 10 * hidden + 10, 10 * hidden]);
  return { rows, fault: "" };
}

const LIMITS = {
  side: [12, 40],
  kernel1: [1, 7],
  pool1: [1, 4],
  kernel2: [1, 7],
  pool2: [1, 4],
  nb_hidden: [10, 1000],
  digit: [0, 9],
  step: STEPS,
};
const compute = { table, accepts: (key, value) => within(LIMITS, key, value) };
const SETTINGS = ["side", "kernel1", "pool1", "kernel2", "pool2", "nb_hidden"];
const LECTURE = { side: 28, kernel1: 5, pool1: 3, kernel2: 5, pool2: 2, nb_hidden: 200 };

function render({ model, el }) {
  const { root, says } = begin(el, "A digit through the network");
  const holder = element("div", { class: "scroll" });
  const maps = element("div", { class: "pictures" });
  const recorded = model.get("activations"); // for each digit and step: shape, largest value, and bytes around 128

  const draw = () => {
    const settings = Object.fromEntries(SETTINGS.map((name) => [name, model.get(name)]));
    const { rows, fault } = table(settings);
    const parameters = rows.reduce((sum, row) => sum + row[2], 0);
    const products = rows.reduce((sum, row) => sum + row[3], 0);
    const isLecture = SETTINGS.every((name) => settings[name] === LECTURE[name]);
    const head = ["step", "size", "parameters", "products"].map((text) => element("th", { scope: "col" }, text));
    const body = rows.map(([name, size, count, work]) => {
      const chosen = name === model.get("step");
      const pick = button(name, () => put(model, "step", name), { "aria-pressed": String(chosen), style: chosen ? `border: 3px solid ${ORANGE}` : "" });
      return element("tr", {}, element("th", { scope: "row" }, pick), ...[size.join("×"), number(count), number(work)].map((text) => element("td", {}, text)));
    });
    const total = element("tr", {}, element("th", { scope: "row" }, "all"), ...["", number(parameters), number(products)].map((text) => element("td", {}, text)));
    const focused = holder.contains(document.activeElement) ? document.activeElement.textContent : null;
    holder.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body, total)));
    if (focused) [...holder.querySelectorAll("button")].find((each) => each.textContent === focused)?.focus();
    says.textContent = fault || `${number(parameters)} parameters, ${number(products)} products for one image${isLecture ? ": the lecture's network" : ""}.`;
    drawMaps(isLecture);
  };

  const drawMaps = (isLecture) => {
    const step = model.get("step");
    if (!isLecture) {
      maps.replaceChildren(element("p", {}, "The pictures are of the lecture's settings: go back to them to see them."));
      return;
    }
    const digit = recorded[Math.min(model.get("digit"), recorded.length - 1)];
    const { shape, largest, values } = digit.steps[STEPS.indexOf(step)];
    const all = Array.from(bytes(values), (byte) => ((byte - 128) / 127) * largest);
    const [channels, width] = shape.length === 3 ? [shape[0], shape[2]] : [1, shape[0]];
    const rows = shape.length === 3 ? shape[1] : 1;
    const canvases = Array.from({ length: channels }, (_, k) => {
      const wide = shape.length === 1;
      const canvas = element("canvas", { role: "img", "aria-label": `${step}, ${wide ? "all units" : `channel ${k}`}`, style: wide ? "width: 30rem; height: 1.6rem" : "width: 84px; height: 84px" });
      paint(canvas, all.slice(k * rows * width, (k + 1) * rows * width), width, { largest });
      return canvas;
    });
    const shown = shape.length === 3 && step !== "input" ? `the first ${channels} channels` : shape.length === 3 ? "the image" : `${width} units`;
    maps.replaceChildren(element("p", { class: "name", style: "width: 100%" }, `${step}: ${shown}; orange below zero, purple above, strongest ${number(largest, 3)}`), ...canvases);
  };

  root.append(
    element(
      "div",
      { class: "controls" },
      choice(model, "digit", "Digit", recorded.map((digit, k) => [k, `a ${digit.label}`])),
      slider(model, "side", "Image side", ...LIMITS.side),
      slider(model, "kernel1", "Kernel of conv1", ...LIMITS.kernel1),
      slider(model, "pool1", "Window of pool1", ...LIMITS.pool1),
      slider(model, "kernel2", "Kernel of conv2", ...LIMITS.kernel2),
      slider(model, "pool2", "Window of pool2", ...LIMITS.pool2),
      slider(model, "nb_hidden", "Hidden units", ...LIMITS.nb_hidden, 10),
      button("The lecture's settings", () => Object.entries(LECTURE).forEach(([name, value]) => put(model, name, value))),
    ),
    says,
    holder,
    maps,
  );
  return follow(model, [...SETTINGS, "digit", "step"], draw);
}

export default { render };
