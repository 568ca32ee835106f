// The list at the side: loaded in parts, kept up to date row by row.

import { get } from "/page/api.js";
import { $, button, h, note } from "/page/dom.js";
import { day } from "/page/format.js";
import { conversationRow, logRow, problemRow, STATES } from "/page/lists.js";
import { filters } from "/page/route.js";

const KINDS = {
  conversations: {
    title: "Conversations", row: conversationRow, group: (item) => day(item.createdAt), id: (item) => item.id, cursor: (item) => item.seq,
    none: "None yet.", nothing: "No conversation is like that.",
  },
  problems: {
    title: "Problems", row: problemRow, group: (item) => capital(STATES[item.state]?.[0] ?? item.state), id: (item) => String(item.key ?? item.id), cursor: (item) => `${item.state}-${item.id}`,
    none: "Every delivery became a conversation.",
  },
  log: {
    title: "Raw log", row: logRow, group: (item) => day(item.receivedAt), id: (item) => String(item.id), cursor: (item) => item.id,
    none: "Nothing was received yet.", nothing: "Nothing in the log is like that.",
  },
};

const capital = (text) => text[0].toUpperCase() + text.slice(1);

export class Side {
  constructor() {
    this.view = null;
    this.query = null;
    this.rows = new Map();
    this.list = $("list");
    this.watch = new IntersectionObserver((seen) => { if (seen.some((each) => each.isIntersecting)) this.more(); }, { root: this.list, rootMargin: "600px" });
  }

  // Shows the list of a view, loading it unless it is there already.
  async show(route, { anew = false } = {}) {
    const narrowed = filters(route);
    const query = new URLSearchParams(narrowed).toString();
    if (!anew && route.view === this.view && query === this.query) return this.choose(route.id);
    Object.assign(this, { view: route.view, query, params: narrowed, kind: KINDS[route.view] });
    $("side-title").textContent = this.kind.title;
    const page = await get(`/page/${this.view}?${query}`);
    if (this.view !== route.view || this.query !== query) return null;
    this.#fill(page);
    this.choose(route.id);
    return page;
  }

  get filtered() {
    return Boolean(this.query);
  }

  #fill({ data, more = false }) {
    const top = this.list.scrollTop;
    this.watch.disconnect();
    this.rows.clear();
    this.last = null;
    this.top = data[0]?.seq ?? 0;
    this.groups = [];
    this.list.replaceChildren();
    if (!data.length) this.list.append(note(this.filtered ? this.kind.nothing : this.kind.none));
    this.#append(data, more);
    this.list.scrollTop = top;
  }

  #append(items, more) {
    this.moreButton?.remove();
    for (const item of items) {
      const name = this.kind.group(item);
      let group = this.groups.at(-1);
      if (group?.name !== name) {
        group = this.#group(name);
        this.groups.push(group);
        this.list.append(group.element);
      }
      const row = this.#row(item);
      group.list.append(row);
      this.last = item;
    }
    this.moreButton = more ? button("More", () => this.more(), { class: "more" }) : null;
    if (this.moreButton) {
      this.list.append(this.moreButton);
      this.watch.observe(this.moreButton);
    }
  }

  #group(name) {
    const list = h("ul", {});
    return { name, list, element: h("section", { class: "group", "aria-label": name }, h("h3", { class: "day" }, name), list) };
  }

  #row(item) {
    const row = h("li", {}, this.kind.row(item, this.params));
    this.rows.set(this.kind.id(item), row);
    return row;
  }

  async more() {
    if (this.loading || !this.moreButton) return;
    this.loading = true;
    const { query } = this;
    try {
      const page = await get(`/page/${this.view}?${query}${query && "&"}before=${this.kind.cursor(this.last)}`);
      if (query === this.query) this.#append(page.data, page.more);
    } finally {
      this.loading = false;
    }
  }

  // New and changed conversations; only for a list that is not narrowed down.
  take(items) {
    for (const item of items) {
      const known = this.rows.get(this.kind.id(item));
      if (known) known.replaceWith(this.#row(item));
      else if (item.seq > this.top) this.#prepend(item);
      else continue;
      this.rows.get(this.kind.id(item)).firstChild.classList.add("fresh");
    }
    this.choose(this.chosen);
  }

  #prepend(item) {
    this.list.querySelector(".note")?.remove();
    const name = this.kind.group(item);
    if (this.groups[0]?.name !== name) {
      const group = this.#group(name);
      this.groups.unshift(group);
      this.list.prepend(group.element);
    }
    this.groups[0].list.prepend(this.#row(item));
    this.last ??= item;
    this.top = item.seq;
  }

  choose(id) {
    this.rows.get(this.chosen)?.firstChild.removeAttribute("aria-current");
    this.chosen = id;
    this.rows.get(id)?.firstChild.setAttribute("aria-current", "true");
  }

  // Moves to the next or previous row, and opens it.
  move(by) {
    const rows = [...this.list.querySelectorAll("a.row")];
    const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
    const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (!next) return;
    location.hash = next.getAttribute("href");
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  focus() {
    (this.list.querySelector("a.row[aria-current]") ?? this.list.querySelector("a.row"))?.focus();
  }
}
