// The rows at the side: conversations, and deliveries that no conversation came of.

import { h, icon } from "/page/dom.js";
import { day, dollars, duration, plural, size, time, words } from "/page/format.js";

export const STATES = {
  received: ["waiting", ""],
  ingested: ["ingested", "good"],
  unconnected: ["unconnected", ""],
  ignored: ["ignored", ""],
  failed: ["failed quietly", "bad"],
  rejected: ["rejected", "bad"],
};

export function stateChip(state) {
  const [name, tone] = STATES[state] ?? [state, ""];
  return h("span", { class: `chip ${tone}` }, name);
}

export function byDay(items, whenOf, rowOf) {
  const rows = [];
  let last = null;
  for (const item of items) {
    const name = day(whenOf(item));
    if (name !== last) rows.push(h("h2", { class: "day" }, name));
    last = name;
    rows.push(rowOf(item));
  }
  return rows;
}

export function conversationRow(item, { selected, fresh }) {
  const facts = [
    duration(item.durationSeconds), plural(item.turns, "turn"), item.cost === null ? null : dollars(item.cost),
  ];
  return h("a", {
    class: `row${fresh ? " fresh" : ""}`, role: "listitem", href: `#/c/${item.id}`, "aria-current": selected ? "true" : null,
  },
    h("span", { class: "row-icon" }, icon(item.durationSeconds === null ? "chat" : "phone")),
    h("span", { class: "row-title" }, item.caller ?? item.externalId),
    h("time", {}, time(item.startedAt ?? item.createdAt)),
    h("span", { class: "row-agent" }, item.agentName, item.version ? h("small", {}, item.version) : null),
    h("span", { class: "row-end" }, item.endedReason ? words(item.endedReason) : ""),
    h("span", { class: "row-facts" }, facts.filter(Boolean).join(" · ")));
}

export function problemRow(item, { selected }) {
  return h("a", {
    class: "row", role: "listitem", href: `#/problems/${item.id}`, "aria-current": selected ? "true" : null,
  },
    h("span", { class: "row-icon" }, icon("alert")),
    h("span", { class: "row-title" }, item.externalId ?? `Delivery ${item.id}`),
    h("time", {}, time(item.receivedAt)),
    h("span", { class: "row-agent wide" }, item.reason),
    h("span", { class: "row-facts" }, stateChip(item.state), ` ${item.status} · ${size(item.size)}`));
}
