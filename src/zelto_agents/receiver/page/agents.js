// Agents, with the versions of each side by side.

import { get } from "/page/api.js";
import { h, note, styled } from "/page/dom.js";
import { dateTime, dollars, duration, plural, words } from "/page/format.js";
import { href } from "/page/route.js";

const ROWS = [
  ["Calls", (version) => version.calls, (value) => value.toLocaleString()],
  ["Median duration", (version) => version.medianSeconds, duration, true],
  ["Total duration", (version) => version.totalSeconds, duration],
  ["Cost per call", (version) => version.costPerCall, dollars, true],
  ["Cost in total", (version) => version.cost, dollars],
  ["Turns per call", (version) => version.turnsPerCall, (value) => value.toFixed(1), true],
];
const REASONS = 4;

export async function agentsView() {
  const { data } = await get("/page/agents");
  const used = data.filter((agent) => agent.versions.length)
    .sort((one, other) => (other.versions[0].lastAt > one.versions[0].lastAt ? 1 : -1));
  const heading = h("header", { class: "heading" }, h("h2", { tabindex: "-1" }, "Agents"),
    h("p", {}, "Every agent that a call came from, with its versions side by side, the last used one first."));
  if (!used.length) return [heading, note("No agent yet: the first call brings one.")];
  return [heading, ...used.map(agentCard)];
}

function agentCard(agent) {
  const { versions } = agent;
  const sum = (of) => versions.reduce((total, version) => total + (of(version) ?? 0), 0);
  const calls = sum((version) => version.calls);
  const priced = sum((version) => version.priced);
  const line = [
    plural(calls, "call"), duration(sum((version) => version.totalSeconds) || null), priced ? dollars(sum((version) => version.cost)) : null,
  ];
  const id = `agent-${agent.id}`;
  return h("section", { class: "card agent", id, "aria-label": `Agent ${agent.name}` },
    h("header", { class: "card-head" },
      h("div", {}, h("h3", {}, h("a", { href: href("conversations", null, { agent: agent.id }) }, agent.name)),
        h("p", {}, h("code", {}, agent.externalId), ` · ${agent.provider}`)),
      h("p", { class: "card-line" }, line.filter(Boolean).join(" · "))),
    h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": `Versions of ${agent.name}` }, table(agent, versions)));
}

function table(agent, versions) {
  const head = versions.map((version) => h("th", { scope: "col" },
    h("a", { href: href("conversations", null, { agent: agent.id, version: version.version }), title: version.version }, version.version ?? "no version"),
    h("small", {}, `last ${dateTime(version.lastAt)}`)));
  const rows = ROWS.map(([name, of, format, compared]) => figures(name, versions.map(of), format, compared)).filter(Boolean);
  return h("table", { class: "versions" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "unseen" }, "Figure")), head)),
    h("tbody", {}, rows, h("tr", { class: "ended" }, h("th", { scope: "row" }, "How they ended"), versions.map(reasons))));
}

function figures(name, values, format, compared) {
  if (values.every((value) => value === null)) return null;
  const most = Math.max(...values.map((value) => value ?? 0), Number.EPSILON);
  return h("tr", {}, h("th", { scope: "row" }, name), values.map((value, place) => h("td", {},
    value === null ? h("span", { class: "none" }, "–") : format(value),
    compared ? [" ", difference(value, values[place + 1])] : null,
    values.length > 1 && h("i", { class: "level", "aria-hidden": "true" }, styled(h("i"), { width: `${(100 * (value ?? 0)) / most}%` })))));
}

// Against the version before, which stands beside it.
function difference(value, before) {
  if (value === null || !before) return null;
  const percent = Math.round((100 * (value - before)) / before);
  if (percent === 0) return null;
  const title = `${percent > 0 ? "more" : "less"} than the version before`;
  return h("small", { class: "difference", title }, `${percent > 0 ? "+" : "−"}${Math.abs(percent)} %`);
}

function reasons(version) {
  const shown = version.reasons.slice(0, REASONS);
  const rest = version.reasons.slice(REASONS).reduce((total, each) => total + each.count, 0);
  const parts = rest ? [...shown, { reason: "others", count: rest }] : shown;
  return h("td", {},
    h("span", { class: "share", "aria-hidden": "true" }, parts.map((part, place) =>
      styled(h("i", { class: `share-${place}` }), { width: `${(100 * part.count) / version.calls}%` }))),
    h("ul", { class: "share-names" }, parts.map((part, place) => h("li", {},
      h("i", { class: `share-${place}`, "aria-hidden": "true" }), h("span", {}, part.reason ? words(part.reason) : "not told"),
      h("b", {}, `${Math.round((100 * part.count) / version.calls)} %`)))));
}
