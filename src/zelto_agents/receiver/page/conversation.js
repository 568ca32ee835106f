// One conversation: its facts, what was said, its document, and its deliveries.

import { button, copyButton, download, h, icon, link, pairs, reveal } from "/page/dom.js";
import { deliveryList } from "/page/deliveries.js";
import { dateTime, dollars, duration, plural, words } from "/page/format.js";
import { json, pretty } from "/page/json.js";
import { answers } from "/page/latency.js";
import { filters, href } from "/page/route.js";
import { Stage } from "/page/stage.js";
import { turnList } from "/page/turns.js";

const TABS = { conversation: "Conversation", json: "JSON", deliveries: "Deliveries" };

let stage = null;

export const callerOf = (customer) => customer?.name ?? customer?.number ?? null;
export const currentStage = () => stage;

export function leave() {
  stage?.leave();
  stage = null;
}

export function conversationView(found, route, again) {
  const { conversation } = found;
  const tab = route.params.get("tab") in TABS ? route.params.get("tab") : "conversation";
  const views = {
    conversation: () => spoken(conversation),
    json: () => documentView(conversation, found.document),
    deliveries: () => deliveryList(found.deliveries, again),
  };
  if (tab !== "conversation") leave();
  const panel = h("div", { role: "tabpanel", id: "panel", class: "panel", "aria-labelledby": `tab-${tab}` }, views[tab]());
  return [heading(conversation, route), tabs(conversation, route, tab), panel];
}

function heading(conversation, route) {
  const caller = callerOf(conversation.customer);
  const line = [conversation.agent.name, conversation.version, plural(conversation.turns.length, "turn")];
  return h("header", { class: "heading" },
    h("a", { class: "back", href: href("conversations", null, filters(route)) }, icon("back"), "Back"),
    h("h2", { tabindex: "-1" }, caller ?? conversation.externalId),
    h("p", {}, line.filter(Boolean).join(" · ")),
    caller ? h("p", { class: "reference" }, h("code", {}, conversation.externalId)) : null,
    facts(conversation));
}

function facts(conversation) {
  const { customer, cost, recording, recordingUrl } = conversation;
  const number = customer?.name ? customer.number : null;
  return pairs([
    ["Started", conversation.startedAt && dateTime(conversation.startedAt)],
    ["Duration", duration(conversation.durationSeconds)],
    ["Ended", conversation.endedReason && words(conversation.endedReason)],
    ["Cost", cost === null ? null : dollars(cost)],
    ["Caller", callerOf(customer) && [callerOf(customer), number && [" ", h("small", {}, number)]]],
    ["Recording", recording?.state === "ready" && recordingUrl && link(recordingUrl, "open recording")],
    ["Source", conversation.source],
    ["Deliveries", h("a", { href: tabLink(conversation.id, "deliveries") }, String(conversation.deliveries))],
  ]);
}

const tabLink = (id, tab, kept = {}) => href("conversations", id, { ...kept, tab: tab === "conversation" ? null : tab });

function tabs(conversation, route, open) {
  const go = (tab) => { location.hash = tabLink(conversation.id, tab, filters(route)); };
  const walk = (press) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[press.key];
    if (!by) return;
    press.stopPropagation();
    const names = Object.keys(TABS);
    go(names[(names.indexOf(open) + by + names.length) % names.length]);
  };
  return h("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the conversation", onkeydown: walk },
    Object.entries(TABS).map(([name, title]) => h("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(open === name), "aria-controls": open === name ? "panel" : null,
      tabindex: open === name ? "0" : "-1", onclick: () => go(name),
    }, title)));
}

function documentView(conversation, sent) {
  return h("div", { class: "raw" },
    h("div", { class: "tools" },
      copyButton(pretty(sent)), button("Download", () => download(`${conversation.externalId}.json`, pretty(sent)))),
    json(sent, "The merged document"));
}

function spoken(conversation) {
  const zelto = objectOr(conversation.metadata?.zelto);
  const marks = new Map(listOf(zelto.turns).map((mark) => [mark.index, mark]));
  const found = answers(conversation.turns, marks);
  const view = h("div", { class: "spoken" });
  const before = stage;
  stage = new Stage({
    conversation, marks, unspoken: listOf(zelto.untranscribed), answers: found, onshow: (index) => show(view, index),
  });
  before?.leave(stage);
  if (!stage.empty) view.append(stage.element);
  const prompt = conversation.systemPrompt && h("p", { class: "prose" }, conversation.systemPrompt);
  const metadata = conversation.metadata && json(conversation.metadata, "Metadata");
  const folds = [folded("System prompt", prompt), folded("Metadata", metadata)].filter(Boolean);
  if (folds.length) view.append(h("div", { class: "folds" }, folds));
  view.append(turnList(conversation, marks, found, (index) => pick(view, index)));
  return view;
}

const objectOr = (value) => (value !== null && typeof value === "object" ? value : {});

function listOf(value) {
  return Array.isArray(value) ? value.filter((item) => item !== null && typeof item === "object") : [];
}

function folded(title, content) {
  return content ? h("details", { class: "fold", "data-key": title }, h("summary", {}, title), content) : null;
}

// A click on a turn's time: the recording goes there, and the address names the turn.
function pick(view, index) {
  stage?.seekTurn(index);
  const route = new URLSearchParams(location.hash.split("?")[1] ?? "");
  route.set("turn", index);
  history.replaceState(null, "", `${location.hash.split("?")[0]}?${route}`);
  show(view, index);
}

export function show(view, index) {
  const turn = view.querySelector(`#turn-${index}`);
  if (!turn) return;
  reveal(turn);
  turn.classList.remove("shown");
  requestAnimationFrame(() => turn.classList.add("shown"));
}

export function showTurn(index) {
  const view = document.querySelector(".spoken");
  if (!view || !Number.isInteger(index)) return;
  stage?.seekTurn(index);
  show(view, index);
}

