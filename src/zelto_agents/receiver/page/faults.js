// Faults on purpose: what the next uploads meet, and a banner for as long as any is in force.

import { get, post, remove } from "/page/api.js";
import { $, button, chip, h, icon, tell } from "/page/dom.js";
import { dateTime, plural } from "/page/format.js";

const KINDS = {
  status: ["Answer with a status", "The upload is refused and not stored."],
  slow: ["Answer slowly", "Stored, and answered after a while."],
  hang: ["Never answer", "The request waits until its client gives up."],
  reset: ["Cut the connection", "Before any answer; nothing is stored."],
  lost: ["Lose the answer", "Stored, then cut: the sender cannot know."],
  swallow: ["Fail quietly", "Answered 200, and never becomes a conversation."],
};
const PRESETS = [
  ["503 for the next 3", { kind: "status", status: 503, left: 3 }],
  ["429, retry after 7 s", { kind: "status", status: 429, retryAfter: 7, left: 1 }],
  ["401 until removed", { kind: "status", status: 401 }],
  ["2 s slow, every 5th", { kind: "slow", seconds: 2, percent: 20 }],
  ["Lost answers, every other", { kind: "lost", percent: 50 }],
  ["Fail the next one quietly", { kind: "swallow", left: 1 }],
];

let active = [];
const watching = new Set();

export async function loadFaults() {
  active = (await get("/page/faults")).data;
  drawBanner();
  for (const draw of watching) draw();
}

export const anyFault = () => active.length > 0;

export function words(fault) {
  const what = {
    status: `answer ${fault.status}${fault.retryAfter ? `, retry after ${fault.retryAfter} s` : ""}`,
    slow: `answer after ${fault.seconds} s`,
    hang: "never answer", reset: "cut the connection", lost: "lose the answer", swallow: "fail quietly",
  }[fault.kind] ?? fault.kind;
  const share = fault.percent !== null && fault.percent < 100 ? `${fault.percent} % of` : "";
  const whom = fault.left === null ? `${share} all uploads` : `${share} the next ${plural(fault.left, "upload")}`;
  return [what, whom.trim()];
}

function drawBanner() {
  const banner = $("banner");
  banner.hidden = !active.length;
  if (!active.length) return banner.replaceChildren();
  const [what, whom] = words(active[0]);
  const more = active.length > 1 ? ` (and ${active.length - 1} more)` : "";
  return banner.replaceChildren(icon("bolt"), h("span", {}, h("b", {}, "A fault is in force: "), `${what}, ${whom}${more}.`),
    h("a", { href: "#/faults" }, "Show"), button("Remove all", clear, { class: "text" }));
}

async function clear() {
  await remove("/page/faults");
  tell("No fault is in force any more");
  await loadFaults();
}

export async function faultsView() {
  const list = h("ul", { class: "fault-list" });
  const met = h("ul", { class: "attempts" });
  const draw = () => {
    if (!list.isConnected && watching.size > 1) watching.delete(draw);
    list.replaceChildren(...active.map(faultItem));
    if (!active.length) list.append(h("li", { class: "none" }, "None: every upload is taken as it comes."));
    attempts(met);
  };
  watching.clear();
  watching.add(draw);
  await loadFaults();
  const heading = h("header", { class: "heading" }, h("h2", { tabindex: "-1" }, "Faults"),
    h("p", {}, "Let the next uploads fail on purpose, and see whether your side brings every call through."));
  return [heading,
    h("section", { class: "card", "aria-label": "In force" }, h("header", { class: "card-head" }, h("h3", {}, "In force"),
      active.length > 1 ? button("Remove all", clear) : null), list),
    h("section", { class: "card", "aria-label": "Add a fault" }, h("header", { class: "card-head" }, h("h3", {}, "Add a fault")),
      h("div", { class: "presets" }, PRESETS.map(([name, fault]) => button(name, () => add(fault)))), form()),
    h("section", { class: "card", "aria-label": "Uploads that met one" }, h("header", { class: "card-head" }, h("h3", {}, "Uploads that met one")), met)];
}

function faultItem(fault) {
  const [what, whom] = words(fault);
  return h("li", {}, icon("bolt"), h("span", {}, h("b", {}, what[0].toUpperCase() + what.slice(1)), h("small", {}, whom)),
    chip(fault.hits === 1 ? "met once" : fault.hits ? `met ${fault.hits} times` : "not met yet", fault.hits ? "warm" : ""),
    button("Remove", async () => { await remove(`/page/faults/${fault.id}`); tell("Removed"); await loadFaults(); }, { "aria-label": `Remove: ${what}` }));
}

async function attempts(list) {
  const { data } = await get("/page/attempts").catch(() => ({ data: [] }));
  const rows = data.toReversed().slice(0, 50).map((each) => h("li", {}, h("time", {}, dateTime(each.at)), h("b", {}, String(each.fault)),
    h("code", {}, each.externalId ?? "no external id")));
  list.replaceChildren(...(rows.length ? rows : [h("li", { class: "none" }, "None so far.")]));
}

async function add(fault) {
  try {
    await post("/page/faults", fault);
    tell("Added");
    await loadFaults();
    return null;
  } catch (refusal) {
    tell(refusal.message);
    return refusal.message;
  }
}

const FIELDS = [
  ["status", "Status", { min: 300, max: 599, step: 1, value: 503 }, ["status"]],
  ["retryAfter", "Retry-After, seconds", { min: 0, step: 1 }, ["status"]],
  ["seconds", "Seconds", { min: 0, step: "any", value: 2 }, ["slow"]],
  ["left", "Next uploads (empty: all)", { min: 1, step: 1 }, null],
  ["percent", "Share in %", { min: 1, max: 100, step: "any" }, null],
];

function form() {
  const kind = h("select", { name: "kind" }, Object.entries(KINDS).map(([name, [title]]) => h("option", { value: name }, title)));
  const about = h("p", { class: "quiet-note" });
  const fields = FIELDS.map(([name, title, limits, kinds]) => {
    const input = h("input", { type: "number", name, ...limits });
    return { name, kinds, input, label: h("label", {}, h("span", {}, title), input) };
  });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const draw = () => {
    about.textContent = KINDS[kind.value][1];
    for (const { kinds, label } of fields) label.hidden = kinds !== null && !kinds.includes(kind.value);
  };
  kind.addEventListener("change", draw);
  draw();
  return h("form", { class: "fault-form", onsubmit: async (submit) => {
    submit.preventDefault();
    const fault = { kind: kind.value };
    for (const { name, input, label } of fields) if (!label.hidden && input.value !== "") fault[name] = Number(input.value);
    wrong.textContent = (await add(fault)) ?? "";
  } }, h("label", {}, h("span", {}, "What happens"), kind), fields.map((field) => field.label),
  h("button", { class: "button primary", type: "submit" }, "Add"), about, wrong);
}

