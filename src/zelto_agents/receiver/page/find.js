// Search and filters above the list; what is chosen is in the address.

import { get } from "/page/api.js";
import { $, button, h, icon } from "/page/dom.js";
import { words } from "/page/format.js";
import { STATES } from "/page/lists.js";
import { filters, href } from "/page/route.js";

const PAUSE_MS = 180;
const ANY = { agent: "Any agent", version: "Any version", reason: "Any ending", provider: "Any provider" };

let shown = null;
let open = false;

export function drawFind(route) {
  const chosen = filters(route);
  if (shown === route.view) return update(route, chosen);
  shown = route.view;
  const box = $("find");
  if (route.view === "conversations") box.replaceChildren(...conversationFind(route, chosen));
  else if (route.view === "log") box.replaceChildren(logFind(chosen));
  else box.replaceChildren();
  return undefined;
}

function update(route, chosen) {
  const search = $("search");
  if (search && document.activeElement !== search) search.value = chosen.q ?? "";
  for (const select of $("find").querySelectorAll("select")) {
    const value = chosen[select.name] ?? "";
    if (value && ![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, value));
    select.value = value;
  }
  const problems = $("only-problems");
  if (problems) problems.checked = Boolean(chosen.problems);
  drawCount(chosen);
}

// A changed filter leads to the list that it makes; the search box may be typed in all the while.
function go(changed) {
  const view = shown;
  const route = { view, params: new URLSearchParams(location.hash.split("?")[1] ?? "") };
  const next = { ...filters(route), ...changed };
  const wanted = href(view, null, next);
  if (wanted !== location.hash) location.hash = wanted;
}

function conversationFind(route, chosen) {
  let wait = null;
  const search = h("input", {
    type: "search", id: "search", placeholder: "Search callers, ids, words", "aria-label": "Search callers, ids, agents and what was said",
    autocomplete: "off", spellcheck: "false", maxlength: 200,
    oninput: () => { clearTimeout(wait); wait = setTimeout(() => go({ q: search.value.trim() }), PAUSE_MS); },
    onkeydown: (press) => {
      if (press.key !== "Enter") return;
      clearTimeout(wait);
      go({ q: search.value.trim() });
    },
  });
  search.value = chosen.q ?? "";
  const panel = h("div", { class: "filters", id: "filters", hidden: true });
  const toggle = h("button", {
    class: "filter-toggle", type: "button", "aria-expanded": "false", "aria-controls": "filters", title: "Filters",
    onclick: () => { open = !open; draw(panel, toggle); },
  }, icon("filter"), h("span", { class: "unseen" }, "Filters"), h("b", { id: "filter-count" }));
  if (Object.keys(chosen).some((name) => name !== "q")) open = true;
  draw(panel, toggle);
  drawCount(chosen, toggle);
  return [h("div", { class: "find" }, h("label", { class: "search" }, icon("search"), search), toggle), panel];
}

function drawCount(chosen, toggle = document.querySelector(".filter-toggle")) {
  const count = Object.keys(chosen).filter((name) => name !== "q").length;
  const figure = toggle?.querySelector("b");
  if (figure) figure.textContent = count ? String(count) : "";
}

async function draw(panel, toggle) {
  panel.hidden = !open;
  toggle.setAttribute("aria-expanded", String(open));
  if (!open) return;
  const facets = await get("/page/facets");
  const route = { view: "conversations", params: new URLSearchParams(location.hash.split("?")[1] ?? "") };
  const chosen = filters(route);
  const selects = Object.entries(ANY).map(([name, any]) => {
    const options = facets[name].map((each) => [each.value, `${name === "reason" ? words(each.name) : each.name} (${each.count.toLocaleString()})`]);
    return choice(name, any, options, chosen[name]);
  });
  const problems = h("input", { type: "checkbox", id: "only-problems", checked: Boolean(chosen.problems), onchange: () => go({ problems: problems.checked ? "true" : "" }) });
  panel.replaceChildren(...selects, h("label", { class: "only" }, problems, "with problems"),
    button("Clear", () => go({ agent: "", version: "", reason: "", provider: "", problems: "" }), { class: "text" }));
}

function choice(name, any, options, chosen) {
  const select = h("select", { name, "aria-label": any.replace("Any ", "").replace(/^./, (first) => first.toUpperCase()), onchange: () => go({ [name]: select.value }) },
    h("option", { value: "" }, any), options.map(([value, title]) => h("option", { value }, title)));
  if (chosen && !options.some(([value]) => value === chosen)) select.append(h("option", { value: chosen }, chosen));
  select.value = chosen ?? "";
  return select;
}

function logFind(chosen) {
  const states = Object.entries(STATES).filter(([name]) => name !== "recording").map(([name, [title]]) => [name, title]);
  const providers = ["zelto", "livekit", "vapi", "retell"].map((name) => [name, name]);
  return h("div", { class: "filters" }, choice("state", "Any state", states, chosen.state), choice("provider", "Any provider", providers, chosen.provider));
}
