// A batch against a loop: recorded times for each batch size, and which rows meet in x wᵀ.

// The product of x (N, D) and the transpose of w (C, D), row by row.
function product(x, w) {
  return x.map((row) => w.map((other) => row.reduce((sum, value, k) => sum + value * other[k], 0)));
}

// Times for one batch size, and how many times the batch is faster than the loop.
function ratioAt(times, place) {
  const { batch_size: size, batch, loop } = times[place];
  return { size, batch, loop, ratio: loop / batch };
}

const X = [[1, 2, 0], [0, 1, 3], [2, -1, 1], [1, 1, 1]];
const W = [[1, 0, 2], [-1, 3, 1]];
const LIMITS = { place: [0, 99], entry: [0, X.length * W.length - 1] };
const compute = { product, ratioAt, accepts: (key, value) => within(LIMITS, key, value) };

function render({ model, el }) {
  const { root, says } = begin(el, "A batch against a loop");
  const times = model.get("times");
  const chart = element("div", { class: "scroll" });
  const rows = element("div", { class: "scroll" });
  const meets = element("p", { "aria-live": "polite" });

  const drawChart = () => {
    const place = Math.min(model.get("place"), times.length - 1);
    const { size, batch, loop, ratio } = ratioAt(times, place);
    const all = times.flatMap((one) => [one.batch, one.loop]);
    const ends = [Math.min(...all), Math.max(...all)];
    const [low, high] = ends.map(Math.log10);
    const [width, height] = [520, 240];
    const x = (k) => 70 + (k * (width - 110)) / Math.max(1, times.length - 1);
    const y = (seconds) => 25 + ((high - Math.log10(seconds)) / Math.max(0.1, high - low)) * (height - 75);
    const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, role: "img", "aria-label": `times from ${duration(ends[0])} to ${duration(ends[1])}; loop above, batch below` });
    const decades = Array.from({ length: Math.max(0, Math.floor(high) - Math.ceil(low) + 1) }, (_, k) => 10 ** (Math.ceil(low) + k));
    for (const seconds of decades.length > 1 ? decades : ends) {
      svg.append(
        drawing("line", { x1: 64, x2: width - 40, y1: y(seconds), y2: y(seconds), stroke: "var(--line)", "stroke-width": 0.5 }),
        drawing("text", { x: 58, y: y(seconds) + 4, "text-anchor": "end", "font-size": 12, class: "ink" }, duration(seconds)),
      );
    }
    for (const [kind, colour, dash, mark] of [["loop", ORANGE, "none", "■ loop"], ["batch", PURPLE, "7 4", "● batch"]]) {
      svg.append(drawing("polyline", { points: times.map((one, k) => `${x(k)},${y(one[kind])}`).join(" "), fill: "none", stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }));
      times.forEach((one, k) => svg.append(kind === "loop" ? drawing("rect", { x: x(k) - 5, y: y(one.loop) - 5, width: 10, height: 10, fill: colour }) : drawing("circle", { cx: x(k), cy: y(one.batch), r: 5.5, fill: colour })));
      const end = times[times.length - 1][kind];
      svg.append(drawing("text", { x: width - 8, y: y(end) + (kind === "loop" ? -12 : 24), "text-anchor": "end", "font-size": 14, "font-weight": 600, fill: colour }, mark));
    }
    times.forEach((one, k) => svg.append(drawing("text", { x: x(k), y: height - 22, "text-anchor": "middle", "font-size": 13, class: "ink" }, number(one.batch_size))));
    svg.append(
      drawing("text", { x: width / 2, y: height - 4, "text-anchor": "middle", "font-size": 13, class: "ink" }, "batch size"),
      drawing("text", { x: 4, y: 15, "font-size": 13, class: "ink" }, "time (logarithmic)"),
      drawing("line", { x1: x(place), x2: x(place), y1: 22, y2: height - 40, stroke: "currentColor", "stroke-width": 1.5, "stroke-dasharray": "2 3" }),
    );
    chart.replaceChildren(svg);
    says.textContent = `Batch of ${number(size)}: the loop takes ${duration(loop)}, the batch ${duration(batch)}: ${number(ratio, 2)} times ${ratio >= 1 ? "faster" : "as fast"}. ${model.get("machine")}`;
  };

  const drawRows = () => {
    const result = product(X, W);
    const place = model.get("entry");
    const [n, c] = [Math.floor(place / W.length), place % W.length];
    const unit = 34;
    const table = (values, left, chosen) => grid(values.flat(), values[0].length, unit, { left, top: 26, mark: (a, b) => (chosen(a, b) ? { rect: { fill: PALETTE.light_orange, stroke: ORANGE, "stroke-width": 3 }, text: { fill: "#1b1b1b", class: "" } } : {}) });
    const name = (text, left) => drawing("text", { x: left, y: 14, "font-size": 14, class: "ink" }, text);
    const svg = drawing("svg", { viewBox: `-2 0 420 ${30 + unit * X.length}`, width: 420, tabindex: 0, role: "img", class: "rows", "aria-label": "x, w and their product; move over the product with the arrow keys" });
    svg.append(name("x (4, 3)", 0), table(X, 0, (a) => a === n), name("w (2, 3)", 150), table(W, 150, (a) => a === c), name("x wᵀ (4, 2)", 300), table(result, 300, (a, b) => a === n && b === c));
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = 420 / box.width;
      const [b, a] = [Math.floor(((event.clientX - box.left) * scale - 302) / unit), Math.floor(((event.clientY - box.top) * scale - 26) / unit)];
      if (a >= 0 && b >= 0 && a < X.length && b < W.length && a * W.length + b !== place) put(model, "entry", a * W.length + b);
    };
    set(svg, { onpointermove: at, onpointerdown: at });
    svg.addEventListener("keydown", (event) => {
      const next = arrows(event, place, X.length, W.length);
      if (next === null) return;
      put(model, "entry", next);
      rows.firstChild.focus();
    });
    rows.replaceChildren(svg);
    meets.textContent = `Row ${n} of x meets row ${c} of w: ${X[n].map((value, k) => `${factor(value)}·${factor(W[c][k])}`).join(" + ")} = ${number(result[n][c])}, entry [${n}, ${c}]. Every entry is its own sum, so all can be computed side by side.`;
  };

  root.append(
    element("div", { class: "controls" }, slider(model, "place", "Batch size", 0, times.length - 1, 1, (place) => times[Math.min(place, times.length - 1)].batch_size)),
    chart,
    says,
    element("p", { class: "name" }, "Which rows meet"),
    rows,
    meets,
  );
  const stops = [follow(model, ["place"], drawChart), follow(model, ["entry"], drawRows)];
  return () => stops.forEach((stop) => stop());
}

function duration(seconds) {
  if (seconds >= 1) return `${number(seconds, 3)} s`;
  return seconds >= 1e-3 ? `${number(1e3 * seconds, 3)} ms` : `${number(1e6 * seconds, 3)} µs`;
}

export default { render };
