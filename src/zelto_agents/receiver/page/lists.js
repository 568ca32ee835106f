// The rows at the side: conversations, problems, and deliveries.

import { chip, h, icon } from "/page/dom.js";
import { dateTime, dollars, duration, plural, size, time, words } from "/page/format.js";
import { href } from "/page/route.js";

export const STATES = {
  received: ["waiting", ""],
  ingested: ["ingested", "good"],
  unconnected: ["unconnected", "warm"],
  ignored: ["ignored", ""],
  failed: ["failed quietly", "bad"],
  rejected: ["rejected", "bad"],
  recording: ["recording failed", "warm"],
};

export function stateChip(state) {
  const [name, tone] = STATES[state] ?? [state, ""];
  return chip(name, tone);
}

// What a delivery is about, as far as it says so.
export function titleOf(delivery) {
  return delivery.externalId?.trim() === "" ? "no id" : delivery.externalId ?? `Delivery ${delivery.id}`;
}

export function conversationRow(item, params) {
  const facts = [
    duration(item.durationSeconds), plural(item.turns, "turn"), item.cost === null ? null : dollars(item.cost),
  ];
  const turn = item.match ? { turn: item.match.index } : {};
  return h("a", { class: "row", href: href("conversations", item.id, { ...params, ...turn }) },
    h("span", { class: "row-icon" }, icon(item.durationSeconds === null ? "chat" : "phone")),
    h("span", { class: "row-title" }, item.caller ?? item.externalId),
    // What the list is ordered by: when it came, not when the call began.
    h("time", { title: `Arrived ${dateTime(item.createdAt)}` }, time(item.createdAt)),
    h("span", { class: "row-agent" }, item.agentName, item.version ? h("small", {}, item.version) : null),
    h("span", { class: "row-foot" }, h("span", { class: "row-facts" }, facts.filter(Boolean).join(" · ")),
      h("span", { class: "row-end" }, item.endedReason ? words(item.endedReason) : "")),
    item.match ? h("span", { class: "row-match" }, item.match.text) : null);
}

export function problemRow(item) {
  const recording = item.state === "recording";
  const to = recording ? href("conversations", item.conversationId) : href("problems", item.id);
  const facts = recording ? "" : ` ${item.status ?? "–"} · ${size(item.size)}`;
  return h("a", { class: "row", href: to },
    h("span", { class: `row-icon ${STATES[item.state]?.[1] ?? ""}` }, icon("alert")),
    h("span", { class: "row-title" }, titleOf(item)),
    h("time", {}, time(item.receivedAt)),
    h("span", { class: "row-agent wide" }, item.reason),
    h("span", { class: "row-facts" }, stateChip(item.state), facts));
}

export function logRow(item, params) {
  return h("a", { class: "row log-row", href: href("log", item.id, params) },
    h("span", { class: "row-number" }, `#${item.id}`),
    h("span", { class: "row-title" }, item.externalId?.trim() || "no id"),
    h("time", {}, time(item.receivedAt)),
    h("span", { class: "row-facts" }, stateChip(item.state),
      ` ${item.status ?? "–"} · ${item.provider ?? "no provider"} · ${size(item.size)}`));
}
