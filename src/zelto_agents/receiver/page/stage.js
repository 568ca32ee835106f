// The stage of a call: its timeline, its recording, and the turn that is being spoken.

import { post } from "/page/api.js";
import { button, h, icon, reveal, tell } from "/page/dom.js";
import { dateTime, place } from "/page/format.js";
import { summary } from "/page/latency.js";
import { lengthOf, Timeline } from "/page/timeline.js";
import { paint, peaksOf } from "/page/wave.js";

const RATES = [1, 1.5, 2, 0.75];
// How long (ms) the page leaves a reader alone who has scrolled away while it plays.
const LEFT_ALONE = 4000;
// The sound goes on while the conversation around it is drawn anew.
const kept = { url: null, audio: null, sound: null };

export class Stage {
  constructor({ conversation, marks, unspoken, answers, onshow }) {
    this.conversation = conversation;
    this.turns = conversation.turns.filter((turn) => turn.startSeconds !== null);
    this.onshow = onshow;
    this.scrolledAt = 0;
    this.current = null;
    this.frame = null;
    const length = lengthOf(conversation.turns, conversation.durationSeconds);
    this.shown = this.turns.length > 0 && length > 0;
    if (this.shown) {
      this.timeline = new Timeline({
        turns: conversation.turns, marks, unspoken, length,
        onseek: (seconds, index) => this.seek(seconds, index),
      });
    }
    this.element = h("section", { class: "stage", "aria-label": "Timeline and recording" },
      this.timeline?.element, this.#controls(answers));
    this.ends = new AbortController();
    for (const kind of ["wheel", "touchmove"]) {
      addEventListener(kind, () => (this.scrolledAt = performance.now()), { passive: true, signal: this.ends.signal });
    }
  }

  get empty() {
    return !this.element.querySelector(".timeline, .player, .answers, .recording-note");
  }

  #controls(answers) {
    const { recording } = this.conversation;
    const foot = h("div", { class: "stage-foot" });
    if (recording?.state === "ready" && recording.url) foot.append(this.#player(recording));
    else if (recording) foot.append(this.#without(recording));
    else foot.append(...this.#told());
    const figures = summary(answers, (index) => this.onshow(index));
    if (figures) foot.append(figures);
    if (this.timeline) foot.append(this.timeline.zooms);
    return foot;
  }

  // What the agent's side says of a recording whose URL it has not sent.
  #told() {
    const { state, why } = this.conversation.metadata?.zelto?.recording ?? {};
    if (!["awaited", "failed"].includes(state)) return [];
    const failed = state === "failed";
    const text = failed ? `The agent found no recording${why ? `: ${why}` : ""}` : "The recording is awaited: its address comes with a later delivery";
    return [h("div", { class: `recording-note${failed ? " failed" : ""}`, role: "status" },
      failed ? icon("alert") : h("i", { class: "spinner" }), h("span", {}, text))];
  }

  #player(recording) {
    const audio = this.#audio(recording.url);
    this.audio = audio;
    this.toggle = button(icon("play"), () => this.playOrPause(), { class: "play", "aria-label": "Play" });
    this.clock = h("span", { class: "clock" });
    const rate = button(`${audio.playbackRate}×`, () => {
      const next = RATES[(RATES.indexOf(audio.playbackRate) + 1) % RATES.length];
      audio.playbackRate = next;
      rate.textContent = `${next}×`;
    }, { class: "text", "aria-label": "Speed", title: "Speed" });
    this.follow = h("input", { type: "checkbox", checked: true });
    const player = h("div", { class: "player" }, this.toggle, this.clock, rate,
      h("label", { class: "follow" }, this.follow, "Follow"));
    const listen = (kind, what) => audio.addEventListener(kind, what, { signal: this.#signal() });
    for (const kind of ["play", "pause", "ended", "seeked", "loadedmetadata", "durationchange"]) listen(kind, () => this.#tick());
    listen("error", () => player.replaceChildren(h("span", { class: "recording-note" }, "This browser cannot play the recording.")));
    this.#tick();
    if (this.timeline) this.#draw(recording);
    return player;
  }

  #signal() {
    this.hearing ??= new AbortController();
    return this.hearing.signal;
  }

  #audio(url) {
    if (kept.url !== url) {
      kept.audio?.pause();
      Object.assign(kept, { url, audio: new Audio(url), sound: null });
      kept.audio.preload = "metadata";
    }
    return kept.audio;
  }

  async #draw(recording) {
    kept.sound ??= peaksOf(recording.url, recording.bytes ?? null);
    const sound = await kept.sound;
    if (!sound || this.ends.signal.aborted) return;
    const { wave, waveName, length } = this.timeline;
    wave.hidden = waveName.hidden = false;
    const draw = () => paint(wave, sound, length);
    this.timeline.redraw = draw;
    draw();
    addEventListener("resize", draw, { signal: this.ends.signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal: this.ends.signal });
  }

  #without(recording) {
    const failed = recording.state === "failed";
    const why = recording.why ? `: ${recording.why}` : "";
    const tries = recording.tries ? ` after ${recording.tries} ${recording.tries === 1 ? "try" : "tries"}` : "";
    const next = recording.nextTryAt ? `, next try ${dateTime(recording.nextTryAt)}` : "";
    const text = failed ? `The recording could not be fetched${tries}${why}` : `The recording is being fetched${why}${next}`;
    const again = button("Try again", async () => {
      again.disabled = true;
      try {
        await post(`/page/conversations/${this.conversation.id}/recording/retry`);
        tell("The recording is fetched again");
      } catch (fault) {
        tell(fault.message);
        again.disabled = false;
      }
    });
    return h("div", { class: `recording-note${failed ? " failed" : ""}`, role: "status" },
      failed ? icon("alert") : h("i", { class: "spinner" }), h("span", {}, text), again);
  }

  get playing() {
    return Boolean(this.audio && !this.audio.paused);
  }

  playOrPause() {
    if (!this.audio) return false;
    if (this.audio.paused) this.audio.play().catch(() => tell("The recording does not play"));
    else this.audio.pause();
    return true;
  }

  step(by) {
    if (this.timeline) this.seek(Math.min(Math.max(this.timeline.seconds + by, 0), this.timeline.length), null);
  }

  // Goes to a place in the call; with the index of a turn, that turn is shown as well.
  seek(seconds, index = null) {
    if (this.audio) this.audio.currentTime = seconds;
    this.#at(seconds);
    const turn = index ?? this.current;
    if (turn !== null) this.onshow(turn);
  }

  seekTurn(index) {
    const turn = this.turns.find((each) => each.index === index);
    if (!turn || !this.timeline) return false;
    if (this.audio) this.audio.currentTime = turn.startSeconds;
    this.#at(turn.startSeconds);
    return true;
  }

  #tick() {
    cancelAnimationFrame(this.frame);
    if (this.ends?.signal.aborted) return;
    const { audio } = this;
    const total = Number.isFinite(audio.duration) ? audio.duration : this.timeline?.length ?? 0;
    this.clock.textContent = `${place(audio.currentTime)} / ${place(total)}`;
    if (audio.paused !== (this.toggle.getAttribute("aria-label") === "Play")) {
      this.toggle.replaceChildren(icon(audio.paused ? "play" : "pause"));
      this.toggle.setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    }
    if (audio.currentTime > 0 || this.current !== null) this.#at(audio.currentTime);
    if (!audio.paused) this.frame = requestAnimationFrame(() => this.#tick());
  }

  #at(seconds) {
    if (!this.timeline) return;
    const turn = this.#spokenAt(seconds);
    const words = turn ? `${{ user: "caller", assistant: "agent", tool: "tool" }[turn.role] ?? turn.role} ${turn.content.slice(0, 60)}` : "";
    this.timeline.at(seconds, words);
    const index = turn?.index ?? null;
    if (index === this.current) return;
    for (const old of document.querySelectorAll(".turn.speaking")) old.classList.remove("speaking");
    this.current = index;
    this.timeline.light(index);
    const item = index === null ? null : document.getElementById(`turn-${index}`);
    item?.classList.add("speaking");
    const alone = performance.now() - this.scrolledAt < LEFT_ALONE;
    if (item && this.playing && this.follow.checked && !alone) reveal(item);
  }

  // Of those that speak at once, who began last.
  #spokenAt(seconds) {
    let found = null;
    for (const turn of this.turns) {
      if (turn.startSeconds > seconds) break;
      if (seconds <= (turn.endSeconds ?? turn.startSeconds)) found = turn;
    }
    return found;
  }

  // The place goes on to the stage that takes over, when it is the same call.
  leave(next = null) {
    this.ends.abort();
    this.hearing?.abort();
    cancelAnimationFrame(this.frame);
    const same = next !== null && next.audio === this.audio;
    if (!same) this.audio?.pause();
  }
}

