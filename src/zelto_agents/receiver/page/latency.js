// How long the caller waited for each answer, and what the wait was made of.

import { button, h, styled } from "/page/dom.js";
import { gap, words } from "/page/format.js";

const PARTS = [
  ["endOfTurn", "end of turn"],
  ["timeToFirstToken", "first token"],
  ["timeToFirstByte", "first audio"],
];
// Callers notice an answer that takes longer (seconds).
export const SLOW = 2;

const number = (value) => (typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null);

// For each answer by its index: the seconds in all, and the known parts. What the agent measured
// goes before what the times of the turns say.
export function answers(turns, marks) {
  const found = new Map();
  let asked = null;
  for (const turn of turns) {
    if (turn.role === "user") asked = turn;
    if (turn.role !== "assistant") continue;
    const own = latencyOf(marks.get(turn.index));
    const before = asked ? latencyOf(marks.get(asked.index)) : {};
    const total = number(own.endToEnd) ?? waited(asked, turn);
    const parts = PARTS.map(([key, name]) => ({ key, name, seconds: number(own[key]) ?? number(before[key]) }));
    const known = parts.filter((part) => part.seconds !== null);
    if (total !== null) found.set(turn.index, { total, measured: number(own.endToEnd) !== null, parts: known });
    asked = null;
  }
  return found;
}

function latencyOf(mark) {
  const latency = mark?.latency;
  return latency !== null && typeof latency === "object" ? latency : {};
}

function waited(asked, answer) {
  if (!asked || answer.startSeconds === null) return null;
  const end = asked.endSeconds ?? asked.startSeconds;
  const seconds = end === null ? -1 : answer.startSeconds - end;
  return seconds >= 0 ? seconds : null;
}

export function latencyOfTurn(answer) {
  const sum = answer.parts.reduce((total, part) => total + part.seconds, 0);
  const whole = Math.max(answer.total, sum, 0.001);
  const strip = h("span", { class: "latency-strip", "aria-hidden": "true" }, answer.parts.map((part) =>
    styled(h("i", { class: `part-${part.key}` }), { width: `${(100 * part.seconds) / whole}%` })));
  const slow = answer.total >= SLOW ? " slow" : "";
  const told = answer.parts.map((part) => h("span", { class: `latency-part part-${part.key}` }, `${part.name} ${gap(part.seconds)}`));
  return h("div", { class: `latency${slow}` }, h("b", {}, `${gap(answer.total)} to answer`),
    answer.parts.length ? strip : null, told);
}

// The wait for every answer as a small bar; the slowest one is a click away.
export function summary(found, onpick) {
  if (!found.size) return null;
  const all = [...found];
  const totals = all.map(([, answer]) => answer.total).sort((one, other) => one - other);
  const middle = (totals[Math.floor((totals.length - 1) / 2)] + totals[Math.ceil((totals.length - 1) / 2)]) / 2;
  const [slowestIndex, slowest] = all.reduce((most, each) => (each[1].total > most[1].total ? each : most));
  const sampled = all.length > 60 ? [] : all;
  const bars = sampled.map(([, answer]) => styled(
    h("i", { class: answer.total >= SLOW ? "slow" : "" }), { height: `${Math.max(8, (100 * answer.total) / slowest.total)}%` }));
  return h("div", { class: "answers" },
    h("span", {}, "Answers ", h("b", {}, String(all.length))),
    h("span", {}, "median ", h("b", { class: "median" }, gap(middle))),
    bars.length > 1 ? h("span", { class: "answer-bars", "aria-hidden": "true" }, bars) : null,
    button([h("span", {}, "slowest "), h("b", {}, gap(slowest.total))], () => onpick(slowestIndex),
      { class: `text slowest${slowest.total >= SLOW ? " slow" : ""}`, title: "Show the slowest answer" }));
}

export const otherFigures = (mark) => Object.entries(latencyOf(mark))
  .filter(([name, value]) => number(value) !== null && name !== "endToEnd" && !PARTS.some(([key]) => key === name))
  .map(([name, value]) => `${words(name)} ${gap(value)}`);
