/** The ten outputs as bars against the targets −1 and +1. */

import { element } from "./dom.js";
import { said } from "./layers.js";

const AXIS = 1.5; // the bars reach from −1.5 to 1.5
const place = (value) => `${(50 * (Math.min(AXIS, Math.max(-AXIS, value)) + AXIS)) / AXIS}%`;

/**
 * Make a row for each output.
 * @param {HTMLElement} body the table's body
 * @returns {(outputs: Float32Array|null, label?: number|null) => void} fills the rows; null empties them
 */
export function makeBars(body) {
  const rows = Array.from({ length: 10 }, (_, digit) => makeRow(body, digit));
  const fill = (outputs, label = null) => {
    const largest = outputs && outputs.indexOf(Math.max(...outputs));
    rows.forEach(({ bar, goal, number, target, row }, digit) => {
      const value = outputs ? outputs[digit] : 0;
      bar.style.left = place(Math.min(0, value));
      bar.style.right = `calc(100% - ${place(Math.max(0, value))})`;
      bar.classList.toggle("is-negative", value < 0);
      number.textContent = outputs ? said(value) : "";
      const aim = label === null ? null : digit === label ? 1 : -1;
      goal.hidden = aim === null;
      goal.style.left = place(aim ?? 0);
      target.textContent = { 1: "+1", "-1": "−1" }[aim] ?? "";
      row.classList.toggle("is-largest", digit === largest);
    });
  };
  fill(null);
  return fill;
}

function makeRow(body, digit) {
  const bar = element("i", { class: "digit-bar" });
  const goal = element("i", { class: "digit-goal" });
  const lines = [-1, 0, 1].map((value) => {
    const line = element("i", { class: "digit-line" });
    line.style.left = place(value);
    return line;
  });
  const axis = element("td", { class: "digit-axis" }, [...lines, bar, goal]);
  const [number, target] = [element("td"), element("td")];
  const row = element("tr", {}, [element("th", { scope: "row" }, [String(digit)]), axis, number, target]);
  body.append(row);
  return { bar, goal, number, target, row };
}
