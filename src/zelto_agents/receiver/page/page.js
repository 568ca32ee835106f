// The page: what is listed, what is open, and how both stay up to date.

import { callerOf, facts, spoken, summaryLine } from "/page/conversation.js";
import { copyButton, h, icon, json, parsed } from "/page/dom.js";
import { dateTime, size } from "/page/format.js";
import { byDay, conversationRow, problemRow, stateChip } from "/page/lists.js";
import { welcome } from "/page/welcome.js";

const RETRY_MS = 1000;
const TABS = ["conversation", "json", "deliveries"];
const $ = (id) => document.getElementById(id);

const state = {
  conversations: [], more: false, problems: [], counts: null,
  route: { view: "conversations", id: null }, tab: TABS[0], opened: null, openedView: null, fresh: new Set(),
};

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// Routes: #/, #/c/<id>, #/problems, #/problems/<number>

function readRoute() {
  const [, first, second] = location.hash.split("/");
  if (first === "problems") return { view: "problems", id: second || null };
  return { view: "conversations", id: first === "c" ? second || null : null };
}

async function follow() {
  const before = state.route;
  state.route = readRoute();
  if (before.id !== state.route.id) state.tab = TABS[0];
  drawList();
  await open();
  $("main").scrollTop = 0;
}

// Lists

async function loadConversations() {
  const page = await get("/page/conversations");
  Object.assign(state, { conversations: page.data, more: page.more, counts: page.counts });
}

async function loadMore() {
  const last = state.conversations.at(-1);
  const page = await get(`/page/conversations?before=${last.seq}`);
  state.conversations.push(...page.data);
  state.more = page.more;
  drawList();
}

async function loadProblems() {
  state.problems = (await get("/page/problems")).data;
}

function drawList() {
  const { view, id } = state.route;
  const list = $("list");
  $("to-conversations").setAttribute("aria-current", view === "problems" ? "false" : "page");
  $("to-problems").setAttribute("aria-current", view === "problems" ? "page" : "false");
  if (view === "problems") {
    const rowOf = (item) => problemRow(item, { selected: String(item.id) === id });
    list.replaceChildren(...byDay(state.problems, (item) => item.receivedAt, rowOf));
    if (!state.problems.length) list.append(h("p", { class: "note" }, "Every delivery became a conversation."));
  } else {
    const rowOf = (item) => conversationRow(item, { selected: item.id === id, fresh: state.fresh.has(item.id) });
    list.replaceChildren(...byDay(state.conversations, (item) => item.createdAt, rowOf));
    if (state.more) list.append(h("button", { class: "more", type: "button", onclick: loadMore }, "More"));
    if (!state.conversations.length) list.append(h("p", { class: "note" }, "None yet."));
  }
  state.fresh.clear();
}

function drawCounts() {
  const { conversations, problems } = state.counts;
  $("count-conversations").textContent = conversations.toLocaleString();
  $("count-problems").textContent = problems.toLocaleString();
  document.title = conversations ? `(${conversations}) Zelto receiver` : "Zelto receiver";
}

// What is open

async function open() {
  const { view, id } = state.route;
  document.body.classList.toggle("opened", id !== null);
  const path = view === "problems" ? `/page/deliveries/${encodeURIComponent(id)}` : `/page/conversations/${encodeURIComponent(id)}`;
  let opened = null;
  try {
    if (id !== null) opened = await get(path);
  } catch {
    opened = "missing";
  }
  // Another one was opened in the meantime: its own answer draws.
  if (readRoute().id !== id) return;
  Object.assign(state, { opened, openedView: view });
  drawMain();
}

function drawMain() {
  const { opened, openedView } = state;
  const main = $("main");
  if (opened === "missing") main.replaceChildren(backLink(), note("There is nothing under this address."));
  else if (opened === null) main.replaceChildren(idle());
  else if (openedView === "problems") main.replaceChildren(...problemView(opened));
  else main.replaceChildren(...conversationView(opened));
}

function idle() {
  if (state.counts && !state.counts.conversations && state.route.view === "conversations") return welcome();
  return note(state.route.view === "problems" ? "Choose a delivery to see why no conversation came of it." : "Choose a conversation.");
}

const note = (text) => h("p", { class: "note" }, text);
const backLink = () => h("a", { class: "back", href: state.route.view === "problems" ? "#/problems" : "#/" }, icon("back"), "Back");

function conversationView({ conversation, document: sent, deliveries }) {
  const heading = h("header", { class: "heading" }, backLink(),
    h("h2", {}, callerOf(conversation.customer) ?? conversation.externalId),
    h("p", {}, summaryLine(conversation)),
    h("p", { class: "reference" }, h("code", {}, conversation.externalId)),
    facts(conversation));
  const tabs = h("div", { class: "tabs", role: "tablist" }, TABS.map((name) => h("button", {
    type: "button", role: "tab", "aria-selected": String(state.tab === name),
    onclick: () => { state.tab = name; drawMain(); },
  }, name === "json" ? "JSON" : name[0].toUpperCase() + name.slice(1))));
  const views = {
    conversation: () => spoken(conversation),
    json: () => h("div", { class: "raw" }, copyButton(JSON.stringify(sent, null, 2)), json(sent)),
    deliveries: () => h("div", { class: "deliveries" }, deliveries.toReversed().map(deliveryItem)),
  };
  return [heading, tabs, h("div", { role: "tabpanel", class: "panel" }, views[state.tab]())];
}

function deliveryItem(item) {
  const body = h("div");
  const load = async () => {
    if (!body.hasChildNodes()) body.append(bodyOf(await get(`/page/deliveries/${item.id}`)));
  };
  return h("details", { class: "delivery", ontoggle: load },
    h("summary", {}, h("b", {}, `#${item.id}`), h("time", {}, dateTime(item.receivedAt)), stateChip(item.state),
      h("span", {}, `${item.status ?? "–"} · ${size(item.size)}`), h("span", {}, item.provider ?? "no provider")),
    item.reason ? h("p", {}, item.reason) : null, body);
}

function problemView({ delivery, body }) {
  const rows = [
    ["Received", dateTime(delivery.receivedAt)], ["Answer", String(delivery.status ?? "–")], ["Size", size(delivery.size)],
    ["Provider", delivery.provider ?? "none given"], ["External id", delivery.externalId ?? "none"],
  ];
  const heading = h("header", { class: "heading" }, backLink(),
    h("h2", {}, delivery.externalId ?? `Delivery ${delivery.id}`), stateChip(delivery.state),
    delivery.reason ? h("p", { class: "reason" }, delivery.reason) : null,
    h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
  return [heading, h("div", { class: "panel" }, bodyOf({ delivery, body }))];
}

function bodyOf({ delivery, body }) {
  const cut = body.length < delivery.size && body.length > 200_000;
  const value = parsed(body);
  const shown = value === undefined ? h("pre", { class: "json" }, body || "(empty)") : json(value);
  return h("div", { class: "raw" }, copyButton(body), shown, cut ? note("Cut here: the body is larger.") : "");
}

// Live

function listen() {
  const since = state.counts.touched;
  const stream = new EventSource(`/page/stream?since=${since}`);
  stream.onopen = () => setLive("Live", true);
  stream.onmessage = (update) => take(JSON.parse(update.data));
  stream.onerror = () => {
    stream.close();
    setLive("Reconnecting", false);
    setTimeout(reconnect, RETRY_MS);
  };
}

async function reconnect() {
  try {
    await refresh();
    listen();
  } catch {
    setTimeout(reconnect, RETRY_MS);
  }
}

function setLive(text, on) {
  $("live").textContent = text;
  $("live").classList.toggle("on", on);
}

async function refresh() {
  await Promise.all([loadConversations(), loadProblems()]);
  drawCounts();
  drawList();
  await open();
}

async function take(update) {
  const problemsChanged = update.counts.problems !== state.counts.problems || update.data.length > 0;
  state.counts = update.counts;
  if (update.reload) return refresh();
  const known = new Map(state.conversations.map((item, index) => [item.id, index]));
  for (const item of update.data) {
    state.fresh.add(item.id);
    if (known.has(item.id)) state.conversations[known.get(item.id)] = item;
    else if (item.seq > (state.conversations[0]?.seq ?? 0)) state.conversations.unshift(item);
  }
  drawCounts();
  if (problemsChanged) await loadProblems();
  drawList();
  const wasEmpty = state.opened === null;
  if (wasEmpty || update.data.some((item) => item.id === state.route.id)) await open();
}

// Keys

function move(by) {
  const rows = [...$("list").querySelectorAll("a.row")];
  const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
  if (!next) return;
  location.hash = next.getAttribute("href");
  next.scrollIntoView({ block: "nearest" });
}

addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  if (press.key === "j") move(1);
  else if (press.key === "k") move(-1);
  else if (press.key === "Escape") location.hash = state.route.view === "problems" ? "#/problems" : "#/";
});
addEventListener("hashchange", follow);

$("where").textContent = location.host;
state.route = readRoute();
reconnect();
