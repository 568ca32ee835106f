// Everything by keys, and a dialog that names them.

import { button, h } from "/page/dom.js";

const KEYS = [
  ["j / k", "next, previous in the list"],
  ["Enter", "read what is chosen"],
  ["Esc", "back to the list"],
  ["/", "search"],
  ["Space", "play, pause the recording"],
  ["← / →", "5 seconds back, on (with Shift: 1 second)"],
  ["g then c, p, l, a", "conversations, problems, log, agents"],
  ["g then w, f, k", "playground, faults, keys"],
  ["?", "this help"],
];
const GO = { c: "#/", p: "#/problems", l: "#/log", a: "#/agents", w: "#/playground", f: "#/faults", k: "#/keys" };
const TYPED = "input, textarea, select, [contenteditable]";
const PRESSED = "button, a, summary, label";

let dialog = null;

export function help() {
  if (!dialog) {
    const close = button("Close", () => dialog.close(), { class: "primary" });
    dialog = h("dialog", { class: "help", "aria-labelledby": "help-title" }, h("h2", { id: "help-title" }, "Keys"),
      h("dl", {}, KEYS.map(([keys, meaning]) => h("div", {}, h("dt", {}, keys.split(" / ").map((key) => h("kbd", {}, key))), h("dd", {}, meaning)))), close);
    dialog.addEventListener("click", (press) => { if (press.target === dialog) dialog.close(); });
    document.body.append(dialog);
  }
  dialog.showModal();
}

export function listenToKeys({ move, read, back, search, play, step }) {
  let going = -Infinity;
  const acts = {
    j: () => move(1), k: () => move(-1), Enter: read, Escape: back, "/": search, "?": help,
    " ": play, ArrowLeft: (press) => step(press.shiftKey ? -1 : -5), ArrowRight: (press) => step(press.shiftKey ? 1 : 5),
    g: () => { going = performance.now(); },
  };
  addEventListener("keydown", (press) => {
    if (press.ctrlKey || press.metaKey || press.altKey || press.defaultPrevented || dialog?.open) return;
    const typing = press.target.closest?.(TYPED);
    if (typing) {
      if (press.key === "Escape") typing.blur();
      return;
    }
    if ((press.key === " " || press.key === "Enter") && press.target.closest?.(PRESSED)) return;
    if (performance.now() - going < 1200 && press.key in GO) {
      going = -Infinity;
      location.hash = GO[press.key];
      press.preventDefault();
      return;
    }
    const act = acts[press.key];
    if (act && act(press) !== false) press.preventDefault();
  });
}
