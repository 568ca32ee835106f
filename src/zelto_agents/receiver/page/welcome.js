// The empty page: how to get the first conversation here.

import { outcome, upload } from "/page/api.js";
import { button, copyButton, h, tell } from "/page/dom.js";
import { samples } from "/page/samples.js";

const origin = location.origin;

const EXPORTS = `export ZELTO_API_KEY=zelto_dev_...
export ZELTO_BASE_URL=${origin}`;

const WAYS = [
  ["LiveKit", `from livekit.plugins import zelto

zelto.attach(session, agent_id="support")`],
  ["Pipecat", `from pipecat_zelto import ZeltoProcessor

pipeline = Pipeline([..., ZeltoProcessor(runner_args, agent_id="support")])`],
  ["Plain Python", `from zelto_agents import Zelto

zelto = Zelto()
with zelto.call("conv-42", agent_id="support") as call:
    call.turn("user", "Hi", start=0.4, end=1.1)
    call.turn("assistant", "Hello! How can I help?", start=1.6, end=3.2)`],
];

export function welcome() {
  const sample = button("Send a sample call", async () => {
    const [{ text, provider }] = await samples();
    const sent = await upload("/page/send", text, provider);
    tell(`The sample was sent, ${outcome(sent)}`);
  }, { class: "primary" });
  return h("div", { class: "welcome" },
    h("h2", { tabindex: "-1" }, "Waiting for the first conversation"),
    h("p", {}, "This is a stand-in for Zelto on your machine. Point an agent at it; the conversation appears here the moment it ends."),
    h("div", { class: "try" }, sample, h("span", {}, "or try bodies of your own in the ", h("a", { href: "#/playground" }, "playground"), ".")),
    step("1", "In the shell of your agent", code(EXPORTS, "Settings"),
      h("p", { class: "hint" }, "The key was printed in the terminal where the receiver started; ", h("a", { href: "#/keys" }, "make another one"), " if it is gone.")),
    step("2", "In your code, one of these", ...WAYS.map(([name, text]) => h("div", { class: "way" }, h("h4", {}, name), code(text, name)))),
    step("3", "Have a conversation, and hang up"));
}

function step(number, title, ...content) {
  return h("section", { class: "step" }, h("span", { class: "step-number", "aria-hidden": "true" }, number), h("div", {}, h("h3", {}, title), ...content));
}

function code(text, label) {
  return h("div", { class: "code" }, h("pre", { tabindex: "0", role: "group", "aria-label": label }, text), copyButton(text));
}
