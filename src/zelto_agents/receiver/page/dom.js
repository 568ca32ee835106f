// Building elements. Text goes in as text nodes only: what callers said is never markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const SHAPES = {
  phone: "M6.5 3.5 9 4l1 4-2 1.5a11 11 0 0 0 5.500 5.500L15 13l4 1 .5 2.500c0 1.500-1 3-3 3C10 19.500 3.500 13 3.500 6.500c0-2 1.500-3 3-3Z",
  chat: "M4 5.500h15v10H11l-4 3.500v-3.500H4Z",
  tool: "M14.500 4.500a4 4 0 0 0-4 5.500L4.500 16a1.800 1.800 0 0 0 2.500 2.500l6-6a4 4 0 0 0 5.500-5L16 10l-2.500-2.500L16 5a4 4 0 0 0-1.500-.5Z",
  back: "M14 5l-7 6.500 7 6.500",
  alert: "M11.500 4 20 18.500H3ZM11.500 9.500v4M11.500 16v.2",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 23 23");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function copyButton(text, label = "Copy") {
  const button = h("button", { class: "quiet", type: "button" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1200);
  });
  return button;
}

export function link(url, text) {
  // Anything but http(s), javascript: above all, stays plain text.
  if (!/^https?:\/\//i.test(url)) return h("span", {}, text);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text);
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const COLOURED_MAX = 200_000;

export function json(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const block = h("pre", { class: "json", tabindex: "0" });
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

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
