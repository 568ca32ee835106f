// JSON as people read it, in colours; and text that may be JSON.

import { h } from "/page/dom.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const COLOURED_MAX = 200_000;

export const pretty = (value) => JSON.stringify(value, null, 2);

export function json(value, label = "JSON") {
  const text = typeof value === "string" ? JSON.stringify(value) : pretty(value);
  const block = h("pre", { class: "json", tabindex: "0", role: "group", "aria-label": label });
  if (text.length > COLOURED_MAX) {
    block.append(text);
    return block;
  }
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    block.append(text.slice(from, match.index));
    const [whole, string, colon, word] = match;
    const kind = colon ? "name" : string ? "string" : word ? "word" : "number";
    block.append(h("span", { class: `json-${kind}` }, colon ? string : whole));
    if (colon) block.append(colon);
    from = match.index + whole.length;
  }
  block.append(text.slice(from));
  return block;
}

export const plain = (text, label = "Text") =>
  h("pre", { class: "json", tabindex: "0", role: "group", "aria-label": label }, text);

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
