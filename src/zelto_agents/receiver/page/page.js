// The page: which view is open, and how everything stays up to date.

import { get } from "/page/api.js";
import { agentsView } from "/page/agents.js";
import { conversationView, currentStage, leave, showTurn } from "/page/conversation.js";
import { deliveryView } from "/page/deliveries.js";
import { $, h, icon, note, tell } from "/page/dom.js";
import { faultsView, loadFaults } from "/page/faults.js";
import { drawFind } from "/page/find.js";
import { plural } from "/page/format.js";
import { help, listenToKeys } from "/page/keyboard.js";
import { keysView } from "/page/keys.js";
import { playgroundView } from "/page/playground.js";
import { filters, hasList, href, read } from "/page/route.js";
import { Side } from "/page/side.js";
import { welcome } from "/page/welcome.js";

const RETRY_MS = 1000;
const FAULTS_MS = 4000;
const NAV = [
  ["conversations", "Calls", "phone"], ["problems", "Problems", "alert"], ["agents", "Agents", "agents"], ["log", "Log", "log"],
  ["playground", "Playground", "flask"], ["faults", "Faults", "bolt"], ["keys", "Keys", "key"],
];
const WHOLE = { agents: agentsView, playground: playgroundView, faults: faultsView, keys: keysView };

const side = new Side();
let route = read();
let counts = null;
let opened = null; // what the detail shows: its view, its id and what was found

// Navigation

async function follow() {
  const before = route;
  route = read();
  if (route.view === "unknown") return drawMissing();
  drawNav();
  const moved = before.view !== route.view || before.id !== route.id;
  const tasks = [open(moved)];
  if (hasList(route.view)) {
    drawFind(route);
    tasks.push(side.show(route));
  }
  await Promise.all(tasks);
  return undefined;
}

function drawNav() {
  document.body.dataset.view = route.view;
  document.body.classList.toggle("opened", route.id !== null || !hasList(route.view));
  for (const link of document.querySelectorAll("#views a")) {
    const here = link.dataset.view === route.view;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function buildNav() {
  $("views").replaceChildren(...NAV.map(([view, title, shape]) => h("a", { href: href(view), "data-view": view },
    icon(shape), h("span", {}, title), h("b", { id: `count-${view}`, class: "count" }))));
  $("help").addEventListener("click", help);
  $("where").textContent = location.host;
}

function drawCounts() {
  const { conversations, problems } = counts;
  $("count-conversations").textContent = conversations ? conversations.toLocaleString() : "";
  $("count-problems").textContent = problems ? problems.toLocaleString() : "";
  const told = [conversations ? String(conversations) : "", problems ? plural(problems, "problem") : ""].filter(Boolean).join(", ");
  document.title = told ? `(${told}) Zelto receiver` : "Zelto receiver";
}

// What is open

async function open(moved) {
  const { view, id } = route;
  if (view === "unknown") return drawMissing();
  if (!hasList(view)) return openWhole(view, moved);
  if (id === null) return drawIdle(moved);
  const path = view === "conversations" ? `/page/conversations/${encodeURIComponent(id)}` : `/page/deliveries/${encodeURIComponent(id)}`;
  const same = opened?.view === view && opened.id === id && !moved;
  let found = same ? opened.found : null;
  try {
    found ??= await get(path);
  } catch {
    found = null;
  }
  // Another one was opened in the meantime: its own answer draws.
  if (route.id !== id || route.view !== view) return undefined;
  opened = { view, id, found };
  drawDetail(!moved);
  if (moved) arrive();
  const turn = route.params.get("turn");
  if (turn !== null && view === "conversations" && found) showTurn(Number(turn));
  return undefined;
}

function drawDetail(again) {
  const { view, found } = opened;
  const main = $("main");
  if (found === null) return drawMissing();
  const top = main.scrollTop;
  const unfolded = new Set([...main.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  const onTab = document.activeElement?.matches("[role=tab]");
  if (view !== "conversations") leave();
  const parts = view === "conversations" ? conversationView(found, route, reopen) : deliveryView(found, backLink(), null);
  main.replaceChildren(...parts);
  // What a reader has unfolded stays so while the call changes around it.
  for (const each of again ? main.querySelectorAll("details[data-key]") : []) each.open = unfolded.has(each.dataset.key);
  main.scrollTop = top;
  if (onTab) main.querySelector("[role=tab][aria-selected=true]")?.focus();
  return undefined;
}

async function openWhole(view, moved) {
  leave();
  opened = { view, id: null, found: null };
  try {
    const parts = await WHOLE[view]();
    if (route.view === view) $("main").replaceChildren(...parts);
  } catch (fault) {
    if (route.view === view) $("main").replaceChildren(note(fault.message));
  }
  if (moved) arrive();
}

function drawIdle(moved) {
  leave();
  opened = { view: route.view, id: null, found: null };
  const empty = counts && !counts.conversations && route.view === "conversations";
  const already = $("main").querySelector(".welcome");
  if (empty && already) return;
  const text = { conversations: "Choose a conversation.", problems: "Choose a delivery to see why no conversation came of it.", log: "Choose a delivery to see it as it came." };
  const shape = { conversations: "chat", problems: "alert", log: "log" }[route.view];
  const idle = () => h("div", { class: "idle" }, icon(shape), h("p", {}, text[route.view]),
    h("p", {}, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), " walk through the list, ", h("kbd", {}, "?"), " shows all keys"));
  $("main").replaceChildren(empty ? welcome() : idle());
  if (moved) $("main").scrollTop = 0;
}

function drawMissing() {
  leave();
  document.body.classList.add("opened");
  $("main").replaceChildren(backLink(), note("There is nothing under this address."));
}

const backLink = () => h("a", { class: "back", href: href(hasList(route.view) ? route.view : "conversations", null, filters(route)) }, icon("back"), "Back");

// One who walks through the list with j and k stays there; others are taken to what they opened.
function arrive() {
  $("main").scrollTop = 0;
  const heading = $("main").querySelector("h2");
  tell(heading?.textContent ?? "");
  if (!document.activeElement?.matches("#list a.row, #search, .filters *")) heading?.focus({ preventScroll: true });
}

// Live

function listen() {
  const stream = new EventSource(`/page/stream?since=${counts.touched}`);
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
  counts = await get("/page/counts");
  drawCounts();
  drawNav();
  const list = hasList(route.view) ? (drawFind(route), side.show(route, { anew: true })) : null;
  await Promise.all([list, loadFaults()]);
  await reopen();
}

async function reopen() {
  const keep = opened && opened.view === route.view && opened.id === route.id && (route.id !== null || !hasList(route.view));
  if (keep && !hasList(route.view)) return route.view === "agents" ? open(false) : undefined;
  opened = null;
  return open(!keep && route.id !== null);
}

async function take(update) {
  const before = counts;
  counts = update.counts;
  if (update.reload) return refresh();
  drawCounts();
  announce(update.data, before);
  if (route.view === "conversations" && !side.filtered) side.take(update.data);
  else if (hasList(route.view) && changed(before)) await side.show(route, { anew: true });
  if (route.id === null ? $("main").querySelector(".welcome") || route.view === "agents" : update.data.some((item) => item.id === route.id)) await reopen();
  return undefined;
}

const changed = (before) => ["deliveries", "problems", "touched", "settled"].some((name) => before?.[name] !== counts[name]);

function announce(items, before) {
  const fresh = items.filter(() => counts.conversations > (before?.conversations ?? 0));
  if (fresh.length === 1) tell(`New conversation: ${fresh[0].caller ?? fresh[0].externalId}`);
  else if (fresh.length > 1) tell(`${fresh.length} new conversations`);
}

// Keys

const play = () => currentStage()?.playOrPause() ?? false;

listenToKeys({
  move: (by) => (hasList(route.view) ? side.move(by) : false),
  read: () => { if (route.id === null) side.focus(); else $("main").querySelector("h2")?.focus(); },
  back: () => { location.hash = href(hasList(route.view) ? route.view : "conversations", null, filters(route)); side.focus(); },
  search: () => {
    if (!$("search")) location.hash = href("conversations");
    const focus = () => { $("search")?.focus(); $("search")?.select(); };
    if ($("search")) focus();
    else setTimeout(focus);
  },
  play,
  step: (seconds) => { if (!currentStage()) return false; currentStage().step(seconds); return true; },
});
$("list").addEventListener("click", (press) => {
  if (press.target.closest("a.row[aria-current]")) $("main").querySelector("h2")?.focus();
});
addEventListener("hashchange", follow);
setInterval(() => { if (!$("banner").hidden || route.view === "faults") loadFaults().catch(() => {}); }, FAULTS_MS);

buildNav();
reconnect();

