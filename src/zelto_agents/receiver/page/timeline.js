// Who spoke when, to scale: one lane each for caller, agent and tools.

import { h } from "/page/dom.js";
import { mark, place } from "/page/format.js";

const LANES = [
  ["user", "Caller"],
  ["assistant", "Agent"],
  ["tool", "Tools"],
];
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const MAX_MARKS = 8;

export function timeline(turns, marks, untranscribed, total, onpick) {
  const timed = turns.filter((turn) => turn.startSeconds !== null);
  const ends = timed.map((turn) => turn.endSeconds ?? turn.startSeconds);
  const length = ends.reduce((most, end) => Math.max(most, end), total ?? 0);
  if (!timed.length || length <= 0) return null;

  const lanes = LANES.filter(([role]) => timed.some((turn) => turn.role === role)).map(([role, name]) => {
    const lane = h("div", { class: `lane lane-${role}` });
    for (const stretch of untranscribed.filter((each) => each.role === role)) {
      lane.append(bar(stretch, length, { class: "bar unspoken", title: "spoken, no transcript" }));
    }
    for (const turn of timed.filter((each) => each.role === role)) {
      const interrupted = marks.get(turn.index)?.interrupted ? " interrupted" : "";
      const title = `${place(turn.startSeconds)} ${turn.content.slice(0, 120)}`;
      const button = bar(turn, length, { class: `bar${interrupted}`, title, "data-index": turn.index });
      button.addEventListener("click", () => onpick(turn.index));
      lane.append(button);
    }
    return [h("span", { class: "lane-name" }, name), lane];
  });
  return h("section", { class: "timeline", "aria-label": "Timeline" }, ...lanes, h("span"), scale(length));
}

function bar(stretch, length, attributes) {
  const start = stretch.startSeconds ?? 0;
  const end = Math.max(stretch.endSeconds ?? start, start);
  const button = h("button", { type: "button", tabindex: "-1", ...attributes });
  button.style.left = `${(100 * start) / length}%`;
  button.style.width = `${(100 * (end - start)) / length}%`;
  return button;
}

function scale(length) {
  const step = STEPS.find((each) => length / each <= MAX_MARKS) ?? length;
  const row = h("div", { class: "scale" });
  for (let at = 0; at <= length; at += step) {
    const label = h("span", {}, mark(at));
    label.style.left = `${(100 * at) / length}%`;
    if (at / length > 0.97) label.className = "last";
    row.append(label);
  }
  return row;
}
