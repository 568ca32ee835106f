// Building elements. Text goes in as text nodes only: what callers said is never markup.

export const $ = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  phone: "M6.5 3.5 9 4l1 4-2 1.5a11 11 0 0 0 5.500 5.500L15 13l4 1 .5 2.500c0 1.500-1 3-3 3C10 19.500 3.500 13 3.500 6.500c0-2 1.500-3 3-3Z",
  chat: "M4 5.500h15v10H11l-4 3.500v-3.500H4Z",
  tool: "M14.500 4.500a4 4 0 0 0-4 5.500L4.500 16a1.800 1.800 0 0 0 2.500 2.500l6-6a4 4 0 0 0 5.500-5L16 10l-2.500-2.500L16 5a4 4 0 0 0-1.500-.5Z",
  back: "M14 5l-7 6.500 7 6.500",
  alert: "M11.500 4 20 18.500H3ZM11.500 9.500v4M11.500 16v.2",
  agents: "M8 10.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.500 18.500c0-3 2.500-5 5.500-5s5.500 2 5.500 5M15 5a3 3 0 0 1 0 5.500M16 13.700c2.500.4 4.500 2.300 4.500 4.800",
  log: "M5 5.500h13M5 9.500h13M5 13.500h9M5 17.500h6",
  flask: "M9 3.500h5M10 3.500v5.500L5 17.500a1.500 1.500 0 0 0 1.300 2h10.400a1.500 1.500 0 0 0 1.300-2L13 9V3.500M7.500 14h8",
  bolt: "M12.500 3 5 13h5.500l-1 7L17 10h-5.500Z",
  key: "M8 15a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 11h8M16.500 11v3.500M20 11v2.500",
  play: "M7.500 4.800v13.400l11-6.700Z",
  pause: "M8 5v13M15 5v13",
  search: "M10 16a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM14.500 14.500 19.500 19.500",
  filter: "M4 6.500h15M7 11.500h9M10 16.500h3",
  close: "M6 6l11 11M17 6 6 17",
  check: "M5 12l4.500 4.500L18.500 7",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 23 23");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function button(label, onclick, attributes = {}) {
  const { class: more = "", ...rest } = attributes;
  return h("button", { class: `button ${more}`.trim(), type: "button", onclick, ...rest }, label);
}

export function copyButton(text, label = "Copy") {
  const copy = button(label, async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? await text() : text);
    copy.textContent = "Copied";
    tell("Copied");
    setTimeout(() => (copy.textContent = label), 1200);
  });
  return copy;
}

export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function link(url, text) {
  // Anything but http(s), javascript: above all, stays plain text.
  if (!/^https?:\/\//i.test(url)) return h("span", {}, text);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text);
}

export const note = (...text) => h("p", { class: "note" }, ...text);
export const chip = (text, tone = "") => h("span", { class: `chip ${tone}`.trim() }, text);

export function pairs(rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return h("dl", { class: "facts" }, shown.map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// Says something to those who do not see the page change.
export function tell(text) {
  $("told").textContent = text;
}

export function styled(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
  return element;
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function reveal(element, block = "center") {
  // A long way is jumped: scrolling through thousands of turns helps nobody.
  const far = Math.abs(element.getBoundingClientRect().top) > 3 * innerHeight;
  element.scrollIntoView({ block, behavior: far || calm() ? "auto" : "smooth" });
}
