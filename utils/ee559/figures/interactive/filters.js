// A filter slides over a digit: the five filters of the lecture, or any other, on 50 digits or on one that is drawn.

const SIDE = 28;
const PRESETS = {
  identity: [0, 0, 0, 0, 1, 0, 0, 0, 0],
  sum: [1, 1, 1, 1, 1, 1, 1, 1, 1],
  vertical: [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  horizontal: [-1, -1, -1, 0, 0, 0, 1, 1, 1],
  outline: [0, -1, 0, -1, 4, -1, 0, -1, 0],
};

// Valid cross-correlation of an image of `side` × `side` with a kernel of k × k, row by row.
function correlate(image, side, weight) {
  const k = Math.sqrt(weight.length);
  const size = side - k + 1;
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j < size; j += 1) {
      let sum = 0;
      for (let a = 0; a < k; a += 1) for (let b = 0; b < k; b += 1) sum += weight[a * k + b] * image[(i + a) * side + j + b];
      result[i * size + j] = sum;
    }
  return Array.from(result);
}

// The same filter in a kernel of another size: cut, or with zeros around.
function resize(weight, size) {
  const before = Math.sqrt(weight.length);
  const shift = (before - size) / 2;
  return Array.from({ length: size * size }, (_, at) => {
    const [a, b] = [Math.floor(at / size) + shift, (at % size) + shift];
    return a >= 0 && b >= 0 && a < before && b < before ? weight[a * before + b] : 0;
  });
}

const areNumbers = (values) => values.every(Number.isFinite);
const LIMITS = { digit: [0, 49], weight: (values) => [9, 25].includes(values.length) && areNumbers(values) };
const compute = { correlate, resize, accepts: (key, value) => within(LIMITS, key, value) };

function render({ model, el }) {
  const { root, says } = begin(el, "A filter on a handwritten digit");
  const digits = bytes(model.get("digits"));
  const count = Math.min(LIMITS.digit[1] + 1, digits.length / (SIDE * SIDE));
  const source = element("canvas", { width: SIDE, height: SIDE, style: "width: 196px; height: 196px; cursor: crosshair", tabindex: 0, role: "img" });
  const result = element("canvas", { style: "width: 182px; height: 182px", role: "img" });
  const numbers = element("div", { style: "display: grid; gap: 0.2rem; justify-content: start" });
  let drawn = null; // the reader's own digit, once there is one
  let pen = [14, 14];

  const chosenDigit = () => Math.min(model.get("digit"), count - 1);
  const image = () => drawn ?? digits.subarray(chosenDigit() * SIDE * SIDE, (chosenDigit() + 1) * SIDE * SIDE);
  const ink = (x, y) => {
    drawn ??= new Uint8Array(SIDE * SIDE);
    for (let i = -1; i <= 1; i += 1)
      for (let j = -1; j <= 1; j += 1) {
        const [a, b] = [y + i, x + j];
        if (a < 0 || b < 0 || a >= SIDE || b >= SIDE) continue;
        drawn[a * SIDE + b] = Math.min(255, drawn[a * SIDE + b] + (i || j ? 90 : 255));
      }
    draw();
  };

  const draw = () => {
    const weight = model.get("weight");
    const values = correlate(image(), SIDE, weight);
    paint(source, image(), SIDE, { signed: false, largest: 255 });
    const context = source.getContext("2d");
    if (document.activeElement === source) {
      context.fillStyle = PALETTE.orange;
      context.fillRect(pen[0], pen[1], 1, 1);
    }
    paint(result, values, SIDE - Math.sqrt(weight.length) + 1);
    const label = drawn ? "your own digit" : `a ${model.get("labels")[chosenDigit()]}`;
    source.setAttribute("aria-label", `${label}; draw on it, or move the pen with the arrow keys and put ink with the space bar`);
    const size = SIDE - Math.sqrt(weight.length) + 1;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    result.setAttribute("aria-label", `the filter's answer, ${size} by ${size} values from ${number(low)} to ${number(high)}`);
    says.textContent = `The filter's ${weight.length} numbers sum to ${number(weight.reduce((a, b) => a + b, 0))}. On ${label} its ${size}×${size} answers go from ${number(low)} (orange) to ${number(high)} (purple).`;
  };

  const showNumbers = () => {
    const weight = model.get("weight");
    const k = Math.sqrt(weight.length);
    if (numbers.children.length !== weight.length) {
      numbers.style.gridTemplateColumns = `repeat(${k}, 4.4rem)`;
      numbers.replaceChildren(
        ...weight.map((_, at) => {
          const input = element("input", { type: "number", step: "any", "aria-label": `weight, row ${Math.floor(at / k) + 1}, column ${(at % k) + 1}` });
          input.addEventListener("input", () => {
            if (input.value === "" || !Number.isFinite(Number(input.value))) return;
            put(model, "weight", model.get("weight").map((value, other) => (other === at ? Number(input.value) : value)));
          });
          return input;
        }),
      );
    }
    weight.forEach((value, at) => {
      if (Number(numbers.children[at].value) !== value || numbers.children[at].value === "") numbers.children[at].value = value;
    });
    numbers.style.pointerEvents = "auto";
  };

  source.addEventListener("pointermove", (event) => {
    if (event.buttons) ink(...pixel(event));
  });
  source.addEventListener("pointerdown", (event) => ink(...pixel(event)));
  const pixel = (event) => {
    const box = source.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map((place, k) => Math.floor((SIDE * place) / (k ? box.height : box.width)));
  };
  source.addEventListener("keydown", (event) => {
    const next = arrows(event, pen[1] * SIDE + pen[0], SIDE, SIDE);
    if (next !== null) pen = [next % SIDE, Math.floor(next / SIDE)];
    else if (event.key === " ") {
      event.preventDefault();
      ink(...pen);
    }
    draw();
  });
  source.addEventListener("blur", draw);

  const preset = (name, text) => button(text, () => put(model, "weight", resize(PRESETS[name], Math.sqrt(model.get("weight").length))));
  const size = button("", () => put(model, "weight", resize(model.get("weight"), model.get("weight").length === 9 ? 5 : 3)));
  root.append(
    element(
      "div",
      { class: "controls" },
      slider(model, "digit", "Digit no.", 0, count - 1),
      button("Draw your own", () => {
        drawn = new Uint8Array(SIDE * SIDE);
        source.focus();
        draw();
      }),
      button("Back to MNIST", () => {
        drawn = null;
        draw();
      }),
    ),
    element(
      "div",
      { class: "controls", role: "group", "aria-label": "the lecture's filters" },
      preset("identity", "0 centre"),
      preset("sum", "1 nine ones"),
      preset("vertical", "2 left to right"),
      preset("horizontal", "3 top to bottom"),
      preset("outline", "4 outline"),
      size,
    ),
    element(
      "div",
      { class: "pictures" },
      element("div", {}, element("p", { class: "name" }, "Digit"), source),
      element("div", {}, element("p", { class: "name" }, "Filter"), numbers),
      element("div", {}, element("p", { class: "name" }, "Answer"), result),
    ),
    says,
  );
  const chosen = () => {
    drawn = null;
    draw();
  };
  const resized = () => {
    size.textContent = model.get("weight").length === 9 ? "Make it 5×5" : "Make it 3×3";
    showNumbers();
    draw();
  };
  const stops = [follow(model, ["digit"], chosen), follow(model, ["weight"], resized)];
  return () => stops.forEach((stop) => stop());
}

export default { render };
