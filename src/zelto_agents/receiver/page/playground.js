// A body of your own, held against the contract while you type, and sent without a key.

import { outcome, post, upload } from "/page/api.js";
import { button, chip, copyButton, h, icon, tell } from "/page/dom.js";
import { curl } from "/page/deliveries.js";
import { size } from "/page/format.js";
import { json, parsed, pretty } from "/page/json.js";
import { href } from "/page/route.js";
import { samples } from "/page/samples.js";

const PROVIDERS = ["zelto", "livekit", "vapi", "retell"];
const PAUSE_MS = 200;

// What was typed stays while one looks at other views.
const draft = { provider: "zelto", body: null };
let asked = 0;

export function playgroundView() {
  const verdict = h("section", { class: "card verdict", "aria-label": "Verdict", "aria-live": "polite" });
  const text = h("textarea", { class: "editor", id: "body", spellcheck: "false", "aria-label": "Body", rows: 26 });
  text.value = draft.body ?? "";
  const provider = h("select", { id: "provider" }, PROVIDERS.map((name) =>
    h("option", { value: name, selected: name === draft.provider }, name)));
  const weight = h("span", { class: "weight" });

  // There is nothing to send before the first sample is there.
  const sending = button("Send", () => send(verdict), { class: "primary" });
  sending.disabled = true;
  let wait = null;
  const check = () => {
    Object.assign(draft, { provider: provider.value, body: text.value });
    weight.textContent = size(new TextEncoder().encode(text.value).length);
    clearTimeout(wait);
    wait = setTimeout(async () => {
      await judge(verdict, text);
      sending.disabled = false;
    }, PAUSE_MS);
  };
  const load = (body, name) => {
    text.value = body;
    if (name) provider.value = name;
    check();
  };
  text.addEventListener("input", check);
  provider.addEventListener("change", check);
  let known = [];
  const sample = h("select", { "aria-label": "Sample", onchange: () => {
    const chosen = known[Number(sample.value || -1)];
    if (chosen) load(chosen.text, chosen.provider);
    sample.value = "";
  } }, h("option", { value: "" }, "Samples…"));
  samples().then((found) => {
    known = found;
    sample.append(...found.map((each, place) => h("option", { value: String(place) }, each.title)));
    if (draft.body === null && !text.value) load(found[0].text, found[0].provider);
  }).catch((fault) => tell(fault.message));
  const file = h("input", { type: "file", class: "unseen", tabindex: "-1", "aria-hidden": "true", accept: ".json,application/json" });
  file.addEventListener("change", async () => { if (file.files[0]) load(await file.files[0].text()); });
  text.addEventListener("dragover", (over) => over.preventDefault());
  text.addEventListener("drop", async (drop) => {
    if (!drop.dataTransfer.files[0]) return;
    drop.preventDefault();
    load(await drop.dataTransfer.files[0].text());
  });
  const format = () => { const value = parsed(text.value); if (value !== undefined) load(pretty(value)); };

  const heading = h("header", { class: "heading" }, h("h2", { tabindex: "-1" }, "Playground"),
    h("p", {}, "Paste a body, and see what the contract says to it. Nothing is stored until you send it."));
  const bar = h("div", { class: "editor-bar" }, h("label", {}, "Provider ", provider), sample,
    button("Open file", () => file.click()), button("Format", format), file, weight);
  if (draft.body !== null) check();
  return [heading, h("div", { class: "playground" },
    h("section", { class: "card", "aria-label": "Body" }, bar, text,
      h("div", { class: "editor-foot" }, sending,
        copyButton(() => curl({ provider: draft.provider }, draft.body), "Copy as curl"))),
    verdict)];
}

async function judge(card, text) {
  const number = ++asked;
  try {
    const found = await post("/page/check", draft);
    if (number === asked) card.replaceChildren(...shown(found, text));
  } catch (fault) {
    card.replaceChildren(h("p", { class: "reason" }, fault.message));
  }
}

const MEANING = {
  received: "It would become a conversation, or update the one with this external id.",
  ignored: "It would be acknowledged, and nothing comes of it.",
  unconnected: "It would be acknowledged as an unconnected dial, without a conversation.",
  rejected: "It would be refused, and kept in the raw log.",
};

function shown(found, text) {
  const good = found.state === "received";
  const faults = Array.isArray(found.answer.details) ? found.answer.details : [];
  const title = good ? "Fits the contract" : found.state === "ignored" ? "Acknowledged and ignored" : found.answer.error ?? found.state;
  return [
    h("header", { class: `verdict-head ${good ? "good" : found.status >= 400 ? "bad" : "warm"}` }, icon(good ? "check" : "alert"),
      h("h3", {}, title), chip(String(found.status), good ? "good" : found.status >= 400 ? "bad" : "")),
    h("p", { class: "verdict-meaning" }, MEANING[found.state] ?? found.reason ?? ""),
    found.externalId ? h("p", { class: "verdict-id" }, "External id ", h("code", {}, found.externalId)) : null,
    faults.length ? h("ol", { class: "violations" }, faults.map((fault) => violation(fault, text))) : null,
    !faults.length && !good && found.reason ? h("p", { class: "verdict-why" }, found.reason) : null,
    h("details", { class: "answer" }, h("summary", {}, "The answer"), json(found.answer, "The answer")),
  ].filter(Boolean);
}

function violation({ path, message }, text) {
  return h("li", {}, h("button", { type: "button", class: "violation", onclick: () => find(text, path) },
    h("code", {}, path || "body"), h("span", {}, message)));
}

// Selects the value, or the name nearest to it, in the text.
function find(text, path) {
  let at = 0;
  let size = 0;
  for (const name of path.split(".")) {
    if (/^\d+$/.test(name)) continue;
    const next = text.value.indexOf(`"${name}"`, at);
    if (next < 0) break;
    [at, size] = [next, name.length + 2];
  }
  text.focus();
  text.setSelectionRange(at, at + size);
}

async function send(card) {
  const sent = await upload("/page/send", draft.body, draft.provider);
  tell(`Sent, ${outcome(sent)}`);
  card.querySelector(".sent")?.remove();
  card.append(h("p", { class: `sent ${sent.status === 200 ? "good" : "bad"}` }, `Sent, ${outcome(sent)}. `,
    h("a", { href: href("log") }, "See the log")));
}
