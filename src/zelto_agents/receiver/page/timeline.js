// Who spoke when, to scale: lanes for caller, agent and tools, with a playhead over all of them.

import { button, h, styled } from "/page/dom.js";
import { gap, mark, place } from "/page/format.js";

const LANES = [
  ["user", "Caller"],
  ["assistant", "Agent"],
  ["tool", "Tools"],
];
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const MAX_MARKS = 8;
// A shorter silence (seconds) is the rhythm of speech.
const HUSH = 2;
const OVERLAP = 0.05;
const MAX_ZOOM = 32;

export function lengthOf(turns, total) {
  return turns.reduce((most, turn) => Math.max(most, turn.endSeconds ?? turn.startSeconds ?? 0), total ?? 0);
}

export class Timeline {
  constructor({ turns, marks, unspoken, length, onseek }) {
    this.timed = turns.filter((turn) => turn.startSeconds !== null);
    this.length = length;
    this.onseek = onseek;
    this.zoom = 1;
    this.current = null;
    this.bars = new Map();
    this.head = h("i", { class: "playhead" });
    this.wave = h("canvas", { class: "wave", hidden: true, "aria-hidden": "true" });
    this.lanes = LANES.filter(([role]) => this.timed.some((turn) => turn.role === role)
      || unspoken.some((stretch) => stretch.role === role));
    this.scale = h("div", { class: "scale", "aria-hidden": "true" });
    this.track = this.#track(marks, unspoken);
    this.scroll = h("div", { class: "track-scroll" }, this.track);
    this.zooms = h("span", { class: "zooms" },
      button("−", () => this.zoomTo(this.zoom / 2), { class: "tiny", "aria-label": "Zoom out", disabled: true }),
      button("+", () => this.zoomTo(this.zoom * 2), { class: "tiny", "aria-label": "Zoom in" }));
    this.waveName = h("span", { class: "lane-name wave-name", hidden: true }, "Sound");
    const names = this.lanes.map(([role, name]) => h("span", { class: `lane-name name-${role}` }, name));
    this.element = h("div", { class: "timeline" },
      h("div", { class: "lane-names", "aria-hidden": "true" }, this.waveName, names), this.scroll);
    this.#drawScale();
    this.at(0);
  }

  #track(marks, unspoken) {
    const lanes = this.lanes.map(([role]) => {
      const lane = h("div", { class: `lane lane-${role}` });
      for (const stretch of unspoken.filter((each) => each.role === role)) {
        lane.append(this.#bar(stretch, { class: "bar unspoken", title: "spoken, no transcript" }));
      }
      for (const turn of this.timed.filter((each) => each.role === role)) {
        const interrupted = marks.get(turn.index)?.interrupted === true ? " interrupted" : "";
        const title = `${place(turn.startSeconds)} ${turn.content.slice(0, 160)}`;
        const bar = this.#bar(turn, { class: `bar${interrupted}`, title, "data-index": turn.index });
        this.bars.set(turn.index, bar);
        lane.append(bar);
      }
      return lane;
    });
    const track = h("div", {
      class: "track", role: "slider", tabindex: "0", "aria-label": "Place in the call",
      "aria-valuemin": 0, "aria-valuemax": Math.round(this.length), onkeydown: (press) => this.#press(press),
      onpointerdown: (press) => this.#point(press),
    }, this.wave, h("div", { class: "lanes" }, lanes, this.#bands()), this.scale, this.head);
    return track;
  }

  #bar(stretch, attributes) {
    const start = number(stretch.startSeconds) ?? 0;
    const end = Math.max(number(stretch.endSeconds) ?? start, start);
    return styled(h("i", attributes), { left: this.#percent(start), width: this.#percent(end - start) });
  }

  // Where both speak, and where nobody does.
  #bands() {
    const spoken = this.timed.filter((turn) => turn.role === "user" || turn.role === "assistant")
      .sort((one, other) => one.startSeconds - other.startSeconds);
    const bands = [];
    let reached = null;
    for (const turn of spoken) {
      const end = turn.endSeconds ?? turn.startSeconds;
      if (reached !== null && turn.startSeconds - reached.end >= HUSH) {
        const seconds = turn.startSeconds - reached.end;
        const band = this.#bar({ startSeconds: reached.end, endSeconds: turn.startSeconds }, { class: "hush", title: `${gap(seconds)} of silence` });
        if (seconds / this.length > 0.05) band.append(gap(seconds));
        bands.push(band);
      } else if (reached !== null && reached.role !== turn.role && Math.min(end, reached.end) - turn.startSeconds > OVERLAP) {
        const until = Math.min(end, reached.end);
        bands.push(this.#bar({ startSeconds: turn.startSeconds, endSeconds: until }, { class: "overlap", title: `both speak for ${gap(until - turn.startSeconds)}` }));
      }
      if (reached === null || end > reached.end) reached = { end, role: turn.role };
    }
    return bands;
  }

  #drawScale() {
    const room = MAX_MARKS * this.zoom;
    const step = STEPS.find((each) => this.length / each <= room) ?? this.length;
    const labels = [];
    for (let at = 0; at <= this.length; at += step) {
      const label = styled(h("span", {}, step < 1 ? place(at) : mark(at)), { left: this.#percent(at) });
      if (at / this.length > 0.97) label.className = "last";
      labels.push(label);
    }
    this.scale.replaceChildren(...labels);
  }

  #percent(seconds) {
    return `${(100 * seconds) / this.length}%`;
  }

  #point(press) {
    if (press.button !== 0) return;
    const { left, width } = this.track.getBoundingClientRect();
    const index = press.target.dataset?.index;
    const seconds = Math.min(Math.max((press.clientX - left) / width, 0), 1) * this.length;
    this.onseek(seconds, index === undefined ? null : Number(index));
  }

  #press(press) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
    const step = steps[press.key];
    if (step === undefined || press.ctrlKey || press.metaKey || press.altKey) return;
    press.preventDefault();
    press.stopPropagation();
    this.onseek(Math.min(Math.max(this.seconds + step * (press.shiftKey ? 1 : 5), 0), this.length), null);
  }

  zoomTo(zoom) {
    this.zoom = Math.min(Math.max(zoom, 1), MAX_ZOOM);
    const [less, more] = this.zooms.children;
    less.disabled = this.zoom === 1;
    more.disabled = this.zoom === MAX_ZOOM;
    styled(this.track, { width: `${100 * this.zoom}%` });
    this.#drawScale();
    this.#keepInView();
    this.redraw?.();
  }

  at(seconds, said = "") {
    this.seconds = seconds;
    styled(this.head, { left: this.#percent(Math.min(seconds, this.length)) });
    this.track.setAttribute("aria-valuenow", String(Math.round(seconds)));
    this.track.setAttribute("aria-valuetext", `${place(seconds)} of ${place(this.length)}${said && `, ${said}`}`);
    this.#keepInView();
  }

  #keepInView() {
    if (this.zoom === 1) return;
    const at = (this.seconds / this.length) * this.track.clientWidth;
    const { scrollLeft, clientWidth } = this.scroll;
    if (at < scrollLeft || at > scrollLeft + clientWidth * 0.9) this.scroll.scrollLeft = at - clientWidth * 0.1;
  }

  // Lights the bar of the turn that is being spoken.
  light(index) {
    this.bars.get(this.current)?.classList.remove("lit");
    this.bars.get(index)?.classList.add("lit");
    this.current = index;
  }
}

export const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
