// API keys of this receiver: what there is, a new one, and taking one back.

import { get, post, remove } from "/page/api.js";
import { button, chip, copyButton, h, icon, tell } from "/page/dom.js";
import { dateTime } from "/page/format.js";

export async function keysView() {
  const list = h("ul", { class: "key-list" });
  const minted = h("div", { class: "minted", "aria-live": "polite" });
  const load = async () => list.replaceChildren(...(await get("/page/keys")).data.map((key) => keyItem(key, load)));
  const name = h("input", { type: "text", name: "name", maxlength: 80, placeholder: "laptop, CI, a colleague", required: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const form = h("form", { class: "key-form", onsubmit: async (submit) => {
    submit.preventDefault();
    try {
      const { key } = await post("/page/keys", { name: name.value });
      wrong.textContent = name.value = "";
      minted.replaceChildren(shownOnce(key));
      tell("A key was made");
      await load();
    } catch (fault) {
      wrong.textContent = fault.message;
    }
  } }, h("label", {}, h("span", {}, "What it is for"), name), h("button", { class: "button primary", type: "submit" }, "Make a key"), wrong);
  await load();
  return [
    h("header", { class: "heading" }, h("h2", { tabindex: "-1" }, "Keys"),
      h("p", {}, "What agents send their calls with. A key is shown once; here is only its hash.")),
    h("section", { class: "card", "aria-label": "New key" }, form, minted),
    h("section", { class: "card", "aria-label": "All keys" }, list)];
}

function shownOnce(key) {
  const line = `export ZELTO_API_KEY=${key}`;
  return h("div", { class: "once" }, h("p", {}, "Copy it now: it is not shown again."),
    h("div", { class: "code" }, h("pre", { tabindex: "0", role: "group", "aria-label": "The new key" }, line), copyButton(line)));
}

function keyItem(key, load) {
  const used = key.lastUsedAt ? `last used ${dateTime(key.lastUsedAt)}` : "never used";
  const revoke = button("Revoke", () => {
    revoke.replaceWith(h("span", { class: "sure" }, "Agents with it are turned away. ", button("Revoke it", async () => {
      await remove(`/page/keys/${encodeURIComponent(key.id)}`);
      tell("Revoked");
      await load();
    }, { class: "danger" }), button("Keep", load)));
  }, { "aria-label": `Revoke ${key.name}` });
  return h("li", { class: key.revokedAt ? "revoked" : "" }, icon("key"),
    h("span", {}, h("b", {}, key.name), h("small", {}, `${key.id} · made ${dateTime(key.createdAt)} · ${used}`)),
    key.organisation ? chip(key.organisation) : null,
    key.revokedAt ? chip("revoked", "bad") : revoke);
}
