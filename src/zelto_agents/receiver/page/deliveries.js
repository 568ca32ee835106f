// The deliveries of one call: what came when, what changed, and the request as it was.

import { get, outcome, upload } from "/page/api.js";
import { button, chip, copyButton, h, note, pairs, tell } from "/page/dom.js";
import { changes } from "/page/diff.js";
import { dateTime, later, plural, size } from "/page/format.js";
import { json, parsed, plain } from "/page/json.js";
import { stateChip, titleOf } from "/page/lists.js";
import { href } from "/page/route.js";

const CUT = 200_000;

export function deliveryList(deliveries, again) {
  const first = new Date(deliveries[0]?.receivedAt);
  const rows = deliveries.map((item, place) => row(item, deliveries[place - 1] ?? null, new Date(item.receivedAt) - first, again));
  const states = deliveries.map((item) => item.status ?? "–").join(", ");
  return h("div", { class: "deliveries" },
    h("p", { class: "walk" }, `${plural(deliveries.length, "delivery").replace("deliverys", "deliveries")}: ${states}`),
    rows.reverse());
}

function row(item, earlier, since, again) {
  const body = h("div", { class: "delivery-body" });
  const load = async () => {
    if (body.hasChildNodes()) return;
    const [found, other] = await Promise.all([get(`/page/deliveries/${item.id}`), earlier && get(`/page/deliveries/${earlier.id}`)]);
    body.replaceChildren(...difference(found, other), request(found, again));
  };
  return h("details", { class: "delivery", "data-key": `delivery-${item.id}`, ontoggle: load },
    h("summary", {}, h("b", {}, `#${item.id}`), stateChip(item.state),
      h("span", { class: "answer-status" }, String(item.status ?? "–")),
      item.sameAs ? chip(`same as #${item.sameAs}`) : null,
      h("span", { class: "since" }, since > 0 ? later(since) : "first"),
      h("time", {}, dateTime(item.receivedAt)),
      h("span", {}, size(item.size)), h("span", {}, item.provider ?? "no provider")),
    item.reason ? h("p", { class: "reason" }, item.reason) : null, body);
}

function difference(found, other) {
  if (!other) return [];
  const title = h("h3", {}, `Changed since #${other.delivery.id}`);
  const [before, after] = [parsed(other.body), parsed(found.body)];
  if (found.body === other.body) return [title, h("p", { class: "quiet-note" }, "Nothing: the same bytes came again.")];
  if (before === undefined || after === undefined) {
    return [title, h("p", { class: "quiet-note" }, "One of the two cannot be read as JSON here.")];
  }
  const list = changes(before, after);
  if (!list.length) return [title, h("p", { class: "quiet-note" }, "Nothing but the order or the spaces.")];
  return [title, h("ul", { class: "changes" }, list.map(change))];
}

function change({ path, kind, before, after }) {
  return h("li", { class: `change ${kind}` }, h("span", { class: "change-kind" }, kind), h("code", { class: "change-path" }, path),
    kind === "added" ? null : h("del", {}, brief(before)), kind === "removed" ? null : h("ins", {}, brief(after)));
}

function brief(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

export function request({ delivery, body }, again) {
  const isCut = body.length < delivery.size && body.length > CUT;
  const value = isCut ? undefined : parsed(body);
  const headers = headersOf(delivery);
  const whole = async () => (isCut ? (await fetch(`/page/deliveries/${delivery.id}/body`)).text() : body);
  const resend = button("Send again", async () => {
    resend.disabled = true;
    const sent = await upload(`/page/deliveries/${delivery.id}/resend`);
    tell(`Sent again: ${outcome(sent)}`);
    resend.textContent = `Sent, ${outcome(sent)}`;
    await again?.();
    resend.disabled = false;
  });
  return h("div", { class: "request" },
    h("h3", {}, "Request"),
    h("div", { class: "tools" }, copyButton(whole, "Copy body"), copyButton(async () => curl(delivery, await whole()), "Copy as curl"),
      h("a", { class: "button", href: `/page/deliveries/${delivery.id}/body`, download: `delivery-${delivery.id}.json` }, "Download"), resend),
    h("pre", { class: "http", tabindex: "0", role: "group", "aria-label": "Request line and headers" },
      `POST /webhooks/calls\n${headers.map(([name, value]) => `${name}: ${value}`).join("\n")}`),
    h("div", { class: "raw" }, value === undefined ? plain(body || "(empty)", "Body") : json(value, "Body"),
      isCut ? note("Cut here: download it to see the whole body.") : null));
}

// The headers as they came where the receiver keeps them, else those that it knows of.
function headersOf(delivery) {
  if (delivery.headers !== null && typeof delivery.headers === "object") {
    return Array.isArray(delivery.headers) ? delivery.headers : Object.entries(delivery.headers);
  }
  const provider = delivery.provider === null ? [] : [["X-Zelto-Provider", delivery.provider]];
  return [["Content-Length", delivery.size], ...provider];
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function curl(delivery, body) {
  const lines = [
    `curl -X POST ${quoted(`${location.origin}/webhooks/calls`)}`, '-H "Authorization: Bearer $ZELTO_API_KEY"', "-H 'Content-Type: application/json'",
  ];
  if (delivery.provider !== null) lines.push(`-H ${quoted(`X-Zelto-Provider: ${delivery.provider}`)}`);
  lines.push(`--data-binary ${quoted(body)}`);
  return lines.join(" \\\n  ");
}

export function deliveryView(found, back, again) {
  const { delivery } = found;
  const conversation = delivery.conversationId && h("a", { href: href("conversations", delivery.conversationId) }, "open it");
  const heading = h("header", { class: "heading" }, back,
    h("h2", { tabindex: "-1" }, titleOf(delivery)), stateChip(delivery.state),
    delivery.reason ? h("p", { class: "reason" }, delivery.reason) : null,
    pairs([
      ["Received", dateTime(delivery.receivedAt)], ["Answer", String(delivery.status ?? "–")], ["Size", size(delivery.size)],
      ["Provider", delivery.provider ?? "none given"], ["External id", delivery.externalId?.trim() || "none"], ["Conversation", conversation],
    ]));
  return [heading, h("div", { class: "panel" }, request(found, again))];
}

