// Labels, targets of −1 and +1, outputs that move, and what the mean square error and its gradient say.

const CLASSES = 5;

function oneHot(label, classes) {
  return Array.from({ length: classes }, (_, k) => (k === label ? 1 : -1));
}

function labelOf(target) {
  return target.indexOf(Math.max(...target));
}

function meanSquareError(output, target) {
  return output.reduce((sum, value, k) => sum + (value - target[k]) ** 2, 0) / output.length;
}

function gradient(output, target) {
  return output.map((value, k) => (2 * (value - target[k])) / output.length);
}

// What broadcasting makes of outputs (N, 1) and targets (N): a square of differences, and its mean square.
function broadcastError(output, target) {
  const squares = output.map((value) => target.map((wanted) => (value - wanted) ** 2));
  return { squares, mean: squares.flat().reduce((a, b) => a + b, 0) / squares.flat().length };
}

const LIMITS = {
  label: [0, CLASSES - 1],
  output: (values) => values.length === CLASSES && values.every((value) => Math.abs(value) <= 2),
};
const accepts = (key, value) => within(LIMITS, key, value);
const compute = { oneHot, labelOf, meanSquareError, gradient, broadcastError, accepts };

function render({ model, el }) {
  const { root, says } = begin(el, "Outputs, targets and the mean square error");
  const bars = element("div", { class: "scroll" });
  const trap = element("div", { class: "scroll" });
  const sliders = element("div", { class: "controls" });

  for (let k = 0; k < CLASSES; k += 1) {
    const value = element("span");
    const input = element("input", { type: "range", min: -2, max: 2, step: 0.1 });
    input.addEventListener("input", () => put(model, "output", model.get("output").map((old, at) => (at === k ? Number(input.value) : old))));
    const show = () => {
      input.value = model.get("output")[k];
      value.textContent = ` ${number(model.get("output")[k], 2)}`;
    };
    model.on("change:output", show);
    show();
    sliders.append(element("label", {}, element("span", {}, `output ${k}`, value), input));
  }

  const draw = () => {
    const output = model.get("output");
    const target = oneHot(model.get("label"), CLASSES);
    const loss = meanSquareError(output, target);
    const slope = gradient(output, target);
    bars.replaceChildren(picture(output, target, slope));
    const winner = output.indexOf(Math.max(...output));
    const verdict = winner === model.get("label") ? `class ${winner} wins: right` : `class ${winner} wins, and the label is ${model.get("label")}: an error`;
    says.textContent = `Label ${model.get("label")} gives the target (${target.map((one) => number(one)).join(", ")}); its largest value is at ${labelOf(target)}. Mean square error ${number(loss, 3)}; ${verdict}.`;
    showTrap(output, target);
  };

  const picture = (output, target, slope) => {
    const [width, height, unit] = [96, 230, 42];
    const y = (value) => 105 - value * unit;
    const svg = drawing("svg", { viewBox: `0 0 ${width * CLASSES + 60} ${height + 10}`, width: width * CLASSES + 60, role: "img", class: "bars" });
    const sentence = output.map((value, k) => `unit ${k}: output ${number(value, 2)}, target ${number(target[k])}, gradient ${number(slope[k], 2)}`);
    svg.setAttribute("aria-label", sentence.join("; "));
    for (const value of [-2, -1, 0, 1, 2]) {
      svg.append(
        drawing("line", { x1: 40, x2: width * CLASSES + 50, y1: y(value), y2: y(value), stroke: "#8a8a8a", "stroke-width": value ? 0.5 : 1.5 }),
        drawing("text", { x: 30, y: y(value), "text-anchor": "end", "dominant-baseline": "central", "font-size": 14, class: "ink" }, number(value)),
      );
    }
    output.forEach((value, k) => {
      const x = 50 + k * width;
      const up = slope[k] < 0; // a step against the gradient raises the output
      svg.append(
        drawing("rect", { x, y: Math.min(y(0), y(value)), width: 34, height: Math.abs(y(value) - y(0)), fill: value < 0 ? ORANGE : PURPLE }),
        drawing("line", { x1: x - 6, x2: x + 40, y1: y(target[k]), y2: y(target[k]), stroke: "currentColor", "stroke-width": 4, "stroke-dasharray": "6 3" }),
        drawing("text", { x: x + 17, y: 212, "text-anchor": "middle", "font-size": 14, class: "ink" }, `unit ${k}`),
        drawing("text", { x: x + 17, y: 230, "text-anchor": "middle", "font-size": 13, class: "ink" }, `grad ${number(slope[k], 2)}`),
      );
      if (Math.abs(slope[k]) > 1e-9) {
        const tip = y(value) + (up ? -1 : 1) * Math.min(60, 50 * Math.abs(slope[k]));
        svg.append(
          drawing("line", { x1: x + 52, x2: x + 52, y1: y(value), y2: tip, stroke: "currentColor", "stroke-width": 3 }),
          drawing("path", { d: `M ${x + 45} ${tip} h 14 l -7 ${up ? -9 : 9} z`, fill: "currentColor" }),
        );
      }
    });
    return svg;
  };

  const showTrap = (output, target) => {
    if (!model.get("trap")) {
      trap.replaceChildren();
      return;
    }
    const { squares, mean } = broadcastError(output, target);
    const head = element("tr", {}, element("th", {}, "(o − t)²"), ...target.map((value) => element("th", { scope: "col" }, `t ${number(value)}`)));
    const rows = squares.map((row, k) =>
      element("tr", {}, element("th", { scope: "row" }, `o ${number(output[k], 2)}`), ...row.map((value, j) => element("td", { style: j === k ? `border: 3px solid ${PURPLE}` : "" }, number(value, 3)))),
    );
    trap.replaceChildren(
      element("p", {}, `Outputs of size (${CLASSES}, 1) against a target of size (${CLASSES}): every output meets every target. The mean of all ${CLASSES * CLASSES} squares is ${number(mean, 3)}; the ${CLASSES} framed ones are meant, with the mean ${number(meanSquareError(output, target), 3)}. No error is raised.`),
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
    );
  };

  const stepDown = () => {
    const target = oneHot(model.get("label"), CLASSES);
    const slope = gradient(model.get("output"), target);
    put(model, "output", model.get("output").map((value, k) => Math.round(1000 * (value - 0.5 * slope[k])) / 1000));
  };
  root.append(
    element("div", { class: "controls" }, slider(model, "label", "Label", ...LIMITS.label), button("One step downhill", stepDown), checkbox(model, "trap", "the broadcasting trap")),
    sliders,
    bars,
    element("p", {}, "Bars: outputs. Dashed lines: targets. Arrows: where a step against the gradient goes."),
    says,
    trap,
  );
  return follow(model, ["output", "label", "trap"], draw);
}

export default { render };
