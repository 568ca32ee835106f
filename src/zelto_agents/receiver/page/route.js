// Addresses within the page: #/<view>/<id>?<filters and places>. Every view and turn has one.

const LISTED = ["conversations", "problems", "log"];
export const VIEWS = [...LISTED, "agents", "playground", "faults", "keys"];
const FILTERS = {
  conversations: ["q", "agent", "version", "reason", "provider", "problems"],
  problems: [],
  log: ["state", "provider"],
};

export const hasList = (view) => LISTED.includes(view);

export function read(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first, ...rest] = path.split("/");
  const view = first === "c" || first === "" ? "conversations" : VIEWS.includes(first) ? first : "unknown";
  return { view, id: rest.length && rest[0] ? decoded(rest[0]) : null, params: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function href(view, id = null, params = {}) {
  const name = view === "conversations" ? (id === null ? "" : "c") : view;
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const place = id === null ? "" : `/${encodeURIComponent(id)}`;
  return `#/${name}${place}${query.size ? `?${query}` : ""}`;
}

// What the list of a view is narrowed to: stays while one walks from conversation to conversation.
export function filters(route) {
  const names = FILTERS[route.view] ?? [];
  return Object.fromEntries(names.filter((name) => route.params.get(name)).map((name) => [name, route.params.get(name)]));
}
