// What was said, as bubbles, with the silences between and the marks beneath.

import { chip, h, icon } from "/page/dom.js";
import { duration, gap, place, words } from "/page/format.js";
import { json, parsed, plain } from "/page/json.js";
import { latencyOfTurn, otherFigures, SLOW } from "/page/latency.js";
import { number } from "/page/timeline.js";

const SPEAKERS = ["user", "assistant"];
const NAMES = { user: "Caller", assistant: "Agent", system: "System", tool: "Tool" };
// A shorter pause (seconds) is the rhythm of speech and not worth a line.
const SILENCE = 1;
const TOLD_ELSEWHERE = ["index", "interrupted", "committed", "latency"];

export function turnList(conversation, marks, answers, onpick) {
  if (!conversation.turns.length) {
    return h("p", { class: "note" }, "No transcript came with this conversation, only a recording.");
  }
  const list = h("ol", { class: "turns" });
  let earlier = null;
  for (const turn of conversation.turns) {
    const answer = answers.get(turn.index);
    const pause = earlier && !answer?.measured && silence(earlier, turn);
    if (pause) list.append(pause);
    list.append(turnItem(turn, marks.get(turn.index) ?? {}, answer, onpick));
    if (SPEAKERS.includes(turn.role)) earlier = turn;
  }
  const { endedReason, durationSeconds } = conversation;
  const closing = [endedReason && words(endedReason), duration(durationSeconds)].filter(Boolean).join(" · ");
  if (closing) list.append(h("li", { class: "closing" }, closing));
  return list;
}

// Tools do not speak: an answer is timed from what the caller said to what the caller hears.
function silence(earlier, turn) {
  const end = earlier.endSeconds ?? earlier.startSeconds;
  if (end === null || turn.startSeconds === null || !SPEAKERS.includes(turn.role)) return null;
  const seconds = turn.startSeconds - end;
  const answering = earlier.role === "user" && turn.role === "assistant";
  if (seconds < (answering ? 0 : SILENCE)) return null;
  const slow = answering && seconds >= SLOW ? " slow" : "";
  const text = `${gap(seconds)} ${answering ? "to answer" : "silence"}`;
  return h("li", { class: `silence${slow}` }, h("span", {}, text));
}

function turnItem(turn, mark, answer, onpick) {
  const item = h("li", { class: `turn turn-${turn.role}`, id: `turn-${turn.index}` });
  const call = turn.role === "tool" ? parsed(turn.content) : undefined;
  if (typeof call?.name === "string") item.append(toolRun(turn, call, onpick));
  else {
    const cut = mark.interrupted === true ? " cut" : "";
    item.append(heading(turn, onpick), h("div", { class: `bubble${cut}` }, turn.content));
  }
  if (answer?.measured) item.append(latencyOfTurn(answer));
  const notes = notesOf(mark);
  if (notes.length) item.append(h("div", { class: "marks" }, notes));
  return item;
}

function heading(turn, onpick) {
  return h("div", { class: "by" }, h("b", {}, NAMES[turn.role]), times(turn, onpick));
}

function times(turn, onpick) {
  if (turn.startSeconds === null) return null;
  const end = turn.endSeconds === null ? "" : ` – ${place(turn.endSeconds)}`;
  const pick = (press) => { press.preventDefault(); onpick(turn.index); };
  return h("button", { class: "place", type: "button", title: "Go to this place", onclick: pick },
    h("time", {}, `${place(turn.startSeconds)}${end}`));
}

function toolRun(turn, call, onpick) {
  const failed = "error" in call;
  const seconds = turn.endSeconds === null ? null : turn.endSeconds - turn.startSeconds;
  const outcome = failed ? "failed" : "result" in call ? "done" : "no result";
  return h("div", { class: "tool-run" }, h("details", { class: `tool${failed ? " failed" : ""}`, "data-key": `turn-${turn.index}` },
    h("summary", {},
      icon("tool"), h("b", {}, call.name), h("code", {}, preview(call.arguments)),
      h("span", { class: "outcome" }, seconds === null ? outcome : `${outcome} in ${gap(seconds)}`)),
    part("Arguments", call.arguments), part("Result", call.result), part("Error", call.error)), times(turn, onpick));
}

function preview(value) {
  const text = value === undefined ? "" : JSON.stringify(value) ?? "";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function part(title, value) {
  if (value === undefined) return null;
  const inner = typeof value === "string" ? parsed(value) : value;
  const shown = inner !== null && typeof inner === "object" ? json(inner, title) : plain(String(value), title);
  return h("div", { class: "part" }, h("h3", {}, title), shown);
}

function notesOf(mark) {
  const notes = [];
  if (mark.interrupted === true) notes.push(chip("interrupted", "warm"));
  if (mark.committed === false) notes.push(chip("heard, never answered"));
  for (const figure of otherFigures(mark)) notes.push(chip(figure));
  for (const [name, value] of Object.entries(mark)) {
    if (TOLD_ELSEWHERE.includes(name) || value === null || typeof value === "object") continue;
    const text = number(value) === null ? String(value) : String(Math.round(value * 1000) / 1000);
    notes.push(chip(`${words(name)} ${text}`));
  }
  return notes;
}
