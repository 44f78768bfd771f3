/** The layers of Net, and where each unit's value comes from. Maps, rows and columns count from 0, as in PyTorch. */

/** shape: maps, rows, columns. perRow: how many maps stand side by side. from: the layer before. */
export const LAYERS = [
  { name: "input", shape: [1, 28, 28], perRow: 1, kind: "input" },
  { name: "conv1", shape: [32, 24, 24], perRow: 8, kind: "conv", from: "input", size: 5, weights: "conv1" },
  { name: "pool1", shape: [32, 8, 8], perRow: 16, kind: "pool", from: "conv1", size: 3 },
  { name: "relu1", shape: [32, 8, 8], perRow: 16, kind: "relu", from: "pool1" },
  { name: "conv2", shape: [64, 4, 4], perRow: 16, kind: "conv", from: "relu1", size: 5, weights: "conv2" },
  { name: "pool2", shape: [64, 2, 2], perRow: 16, kind: "pool", from: "conv2", size: 2 },
  { name: "relu2", shape: [64, 2, 2], perRow: 16, kind: "relu", from: "pool2" },
  { name: "fc1", shape: [200, 1, 1], perRow: 25, kind: "linear", from: "relu2", weights: "fc1" },
  { name: "relu3", shape: [200, 1, 1], perRow: 25, kind: "relu", from: "fc1" },
  { name: "logits", shape: [10, 1, 1], perRow: 10, kind: "linear", from: "relu3", weights: "fc2" },
];

export const layerNamed = (name) => LAYERS.find((layer) => layer.name === name);

/** A number in words: two decimals, a real minus. */
export const said = (value) => value.toFixed(2).replace("-", "−").replace(/^−(0\.00)$/, "$1");

/** Name the sizes of a layer: "32 maps of 24 × 24", "200 units". */
export function sizeInWords([maps, rows, columns]) {
  if (rows * columns === 1) return `${maps} units`;
  return `${maps} ${maps === 1 ? "map" : "maps"} of ${rows} × ${columns}`;
}

/** Name a unit's place in its layer. */
export function placeInWords(layer, { map, row, column }) {
  if (layer.shape[1] === 1) return `unit ${map}`;
  return `${layer.shape[0] === 1 ? "" : `map ${map}, `}row ${row}, column ${column}`;
}

/**
 * The window of the layer before that a unit sees.
 * @returns {{map, row, column, maps, rows, columns}|null} its first map, row and column, and its size; null for pixels
 */
export function windowOf(layer, { map, row, column }) {
  const { size } = layer;
  switch (layer.kind) {
    case "conv":
      return { map: 0, row, column, maps: layerNamed(layer.from).shape[0], rows: size, columns: size };
    case "pool":
      return { map, row: row * size, column: column * size, maps: 1, rows: size, columns: size };
    case "relu":
      return { map, row, column, maps: 1, rows: 1, columns: 1 };
    case "linear": {
      const [maps, rows, columns] = layerNamed(layer.from).shape;
      return { map: 0, row: 0, column: 0, maps, rows, columns };
    }
    default:
      return null;
  }
}

/** The values of a window, its maps, rows and columns in order. */
export function valuesIn(window, values, shape) {
  const inside = new Float32Array(window.maps * window.rows * window.columns);
  let k = 0;
  for (let map = window.map; map < window.map + window.maps; map++) {
    for (let row = window.row; row < window.row + window.rows; row++) {
      const start = (map * shape[1] + row) * shape[2] + window.column;
      inside.set(values.subarray(start, start + window.columns), k);
      k += window.columns;
    }
  }
  return inside;
}

/**
 * Say in words and pictures where a unit's value comes from.
 * @returns {{title: string, words: string, pictures: {name: string, values: Float32Array, shape: number[]}[]}}
 */
export function explain(layer, unit, activations, parameters) {
  const [, rows, columns] = layer.shape;
  const value = activations[layer.name][(unit.map * rows + unit.row) * columns + unit.column];
  const title = `${layer.name}, ${placeInWords(layer, unit)}: ${said(value)}`;
  const window = windowOf(layer, unit);
  if (window === null) {
    const words = "A pixel, less the mean of all training pixels, over their standard deviation.";
    return { title, words, pictures: [] };
  }
  const before = layerNamed(layer.from);
  const inside = valuesIn(window, activations[layer.from], before.shape);
  const shape = [window.maps, window.rows, window.columns];
  const pictures = [{ name: "window", values: inside, shape }];
  if (layer.kind === "relu") {
    const words = `max(0, x) of the same place of ${layer.from}, where x = ${said(inside[0])}.`;
    return { title, words, pictures };
  }
  if (layer.kind === "pool") {
    const words = `The largest of ${inside.length} values: ${windowInWords(window, before)}.`;
    return { title, words, pictures };
  }
  const filter = parameters[`${layer.weights}.weight`];
  const weights = filter.subarray(unit.map * inside.length, (unit.map + 1) * inside.length);
  const products = inside.map((x, k) => x * weights[k]);
  pictures.push({ name: "weights", values: weights, shape }, { name: "products", values: products, shape });
  const bias = parameters[`${layer.weights}.bias`][unit.map];
  const sum = products.reduce((total, product) => total + product, 0);
  const owner = layer.kind === "conv" ? `filter ${unit.map}` : `row ${unit.map} of ${layer.weights}'s weights`;
  const words =
    `${windowInWords(window, before)}, times ${owner}: ${inside.length} products, whose sum is ${said(sum)}. ` +
    `With the bias ${said(bias)}: ${said(value)}.`;
  return { title, words: words[0].toUpperCase() + words.slice(1), pictures };
}

function windowInWords(window, before) {
  if (before.shape[1] === 1) return `all ${before.shape[0]} units of ${before.name}`;
  const size = `${window.rows} × ${window.columns}`;
  if (window.rows === before.shape[1]) return `all ${before.shape[0]} maps of ${size} of ${before.name}`;
  let which = `each of ${before.name}'s ${window.maps} maps`;
  if (window.maps === 1) which = before.shape[0] === 1 ? before.name : `map ${window.map} of ${before.name}`;
  return (
    `a window of ${size} in ${which}, rows ${window.row} to ${window.row + window.rows - 1} and ` +
    `columns ${window.column} to ${window.column + window.columns - 1}`
  );
}
