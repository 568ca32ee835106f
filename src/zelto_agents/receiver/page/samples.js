// Bodies to begin with, in the playground and on the empty page: the package's own, and spoilt ones.

import { get } from "/page/api.js";
import { pretty } from "/page/json.js";

let loading = null;

// Each with a title, the provider and the text of its body; the voice call is the first.
export function samples() {
  loading ??= get("/page/samples").then(({ data }) => [...data.flatMap(titled), ...spoilt(data[0].bodies[0])]);
  loading.catch(() => { loading = null; });
  return loading;
}

function titled({ about, provider, bodies }) {
  const title = about[0].toUpperCase() + about.slice(1);
  return bodies.map((body, place) => ({
    title: bodies.length > 1 ? `${title} (${place + 1} of ${bodies.length})` : title, provider, text: pretty(body),
  }));
}

function spoilt({ transcript, ...whole }) {
  const { call, agent } = whole;
  const about = (id, more) => ({ ...whole, call: { ...call, externalId: `sample-${id}`, ...more } });
  const wrong = {
    ...about("wrong", { durationSeconds: -3, cost: "0.02", startedAt: "yesterday" }),
    agent: { name: agent.name }, version: "", transcript: { turns: [{ role: "caller", content: "Hello?" }, { role: "user" }] },
  };
  const named = [
    ["Unconnected dial", pretty(about("dial", { endedReason: "customer-did-not-answer" }))], ["With violations", pretty(wrong)],
    ["Not JSON", '{"call": {"cost": NaN}}'],
  ];
  return named.map(([title, text]) => ({ title, provider: "zelto", text }));
}
