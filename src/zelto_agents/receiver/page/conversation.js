// One conversation: its facts, its timeline, and its turns as bubbles.

import { h, icon, json, link, parsed } from "/page/dom.js";
import { dateTime, dollars, duration, gap, place, plural, words } from "/page/format.js";
import { timeline } from "/page/timeline.js";

const SPEAKERS = ["user", "assistant"];
const NAMES = { user: "Caller", assistant: "Agent", system: "System", tool: "Tool" };
// A shorter pause (seconds) is the rhythm of speech and not worth a line.
const SILENCE = 1;
// Callers notice an answer that takes longer (seconds).
const SLOW = 2;

export const callerOf = (customer) => customer?.name ?? customer?.number ?? null;

export function facts(conversation) {
  const { customer, cost, recordingUrl } = conversation;
  const number = customer?.name ? customer.number : null;
  const rows = [
    ["Started", conversation.startedAt && dateTime(conversation.startedAt)],
    ["Duration", duration(conversation.durationSeconds)],
    ["Ended", conversation.endedReason && words(conversation.endedReason)],
    ["Cost", cost === null ? null : dollars(cost)],
    ["Caller", callerOf(customer) && [callerOf(customer), number && [" ", h("small", {}, number)]]],
    ["Recording", recordingUrl && link(recordingUrl, "open recording")],
    ["Source", conversation.source],
    ["Deliveries", String(conversation.deliveries)],
  ];
  const shown = rows.filter(([, value]) => value);
  return h("dl", { class: "facts" }, shown.map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, ...[value].flat(2).filter(Boolean)))));
}

export function spoken(conversation) {
  const zelto = conversation.metadata?.zelto ?? {};
  const marks = new Map(listOf(zelto.turns).map((mark) => [mark.index, mark]));
  const view = h("div", { class: "spoken" });
  const strip = timeline(
    conversation.turns, marks, listOf(zelto.untranscribed), conversation.durationSeconds, (index) => show(view, index),
  );
  if (strip) view.append(strip);
  const prompt = conversation.systemPrompt && h("p", { class: "prose" }, conversation.systemPrompt);
  const metadata = conversation.metadata && json(conversation.metadata);
  view.append(h("div", { class: "folds" }, folded("System prompt", prompt), folded("Metadata", metadata)));
  view.append(turnList(conversation, marks));
  return view;
}

function listOf(value) {
  return Array.isArray(value) ? value.filter((item) => item !== null && typeof item === "object") : [];
}

function folded(title, content) {
  return content ? h("details", { class: "fold" }, h("summary", {}, title), content) : null;
}

function turnList(conversation, marks) {
  if (!conversation.turns.length) {
    return h("p", { class: "note" }, "No transcript came with this conversation, only a recording.");
  }
  const list = h("ol", { class: "turns" });
  let earlier = null;
  for (const turn of conversation.turns) {
    const pause = earlier && silence(earlier, turn);
    if (pause) list.append(pause);
    list.append(turnItem(turn, marks.get(turn.index) ?? {}));
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

function turnItem(turn, mark) {
  const item = h("li", { class: `turn turn-${turn.role}`, id: `turn-${turn.index}` });
  const call = turn.role === "tool" ? parsed(turn.content) : undefined;
  if (typeof call?.name === "string") item.append(toolRun(turn, call));
  else item.append(heading(turn), h("div", { class: "bubble" }, turn.content));
  const notes = notesOf(mark);
  if (notes.length) item.append(h("div", { class: "marks" }, notes));
  return item;
}

function heading(turn) {
  return h("div", { class: "by" }, h("b", {}, NAMES[turn.role]), times(turn));
}

function times(turn) {
  if (turn.startSeconds === null) return null;
  const end = turn.endSeconds === null ? "" : ` – ${place(turn.endSeconds)}`;
  return h("time", {}, `${place(turn.startSeconds)}${end}`);
}

function toolRun(turn, call) {
  const failed = "error" in call;
  const seconds = turn.endSeconds === null ? null : turn.endSeconds - turn.startSeconds;
  const outcome = failed ? "failed" : "result" in call ? "done" : "no result";
  return h("details", { class: `tool${failed ? " failed" : ""}` },
    h("summary", {},
      icon("tool"), h("b", {}, call.name), h("code", {}, preview(call.arguments)),
      h("span", { class: "outcome" }, seconds === null ? outcome : `${outcome} in ${gap(seconds)}`), times(turn)),
    part("Arguments", call.arguments), part("Result", call.result), part("Error", call.error));
}

function preview(value) {
  const text = value === undefined ? "" : JSON.stringify(value) ?? "";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function part(title, value) {
  if (value === undefined) return null;
  const inner = typeof value === "string" ? parsed(value) : value;
  const shown = inner !== null && typeof inner === "object" ? json(inner) : h("pre", { class: "json" }, String(value));
  return h("div", { class: "part" }, h("h4", {}, title), shown);
}

function notesOf(mark) {
  const notes = [];
  if (mark.interrupted === true) notes.push(h("span", { class: "chip warm" }, "interrupted"));
  if (mark.committed === false) notes.push(h("span", { class: "chip" }, "heard, never answered"));
  for (const [name, value] of Object.entries(mark)) {
    if (["index", "interrupted", "committed"].includes(name) || value === null || typeof value === "object") continue;
    const text = typeof value === "number" ? String(Math.round(value * 1000) / 1000) : String(value);
    notes.push(h("span", { class: "chip" }, `${words(name)} ${text}`));
  }
  return notes;
}

export function show(view, index) {
  const turn = view.querySelector(`#turn-${index}`);
  if (!turn) return;
  turn.scrollIntoView({ block: "center", behavior: "smooth" });
  turn.classList.remove("shown");
  requestAnimationFrame(() => turn.classList.add("shown"));
}

export function summaryLine(conversation) {
  return [
    conversation.agent.name, conversation.version, plural(conversation.turns.length, "turn"),
  ].filter(Boolean).join(" · ");
}
