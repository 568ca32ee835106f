// What changed from one document to another, path by path.

const MAX_SHOWN = 400;

const isObject = (value) => value !== null && typeof value === "object";
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// A list of {path, kind: "added" | "changed" | "removed", before, after}.
export function changes(before, after, path = "", found = []) {
  if (found.length >= MAX_SHOWN || Object.is(before, after)) return found;
  if (Array.isArray(before) && Array.isArray(after)) listChanges(before, after, path, found);
  else if (isObject(before) && isObject(after) && !Array.isArray(before) && !Array.isArray(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const inner = path ? `${path}.${name}` : name;
      if (!Object.hasOwn(before, name)) found.push({ path: inner, kind: "added", after: after[name] });
      else if (!Object.hasOwn(after, name)) found.push({ path: inner, kind: "removed", before: before[name] });
      else changes(before[name], after[name], inner, found);
    }
  } else if (!same(before, after)) found.push({ path: path || "(all)", kind: "changed", before, after });
  return found;
}

// Lists mostly grow: what is equal at both ends is left out, what lies between is compared in order.
function listChanges(before, after, path, found) {
  let start = 0;
  while (start < before.length && start < after.length && same(before[start], after[start])) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && same(before.at(-1 - end), after.at(-1 - end))) end += 1;
  const [gone, come] = [before.length - end, after.length - end];
  for (let at = start; at < Math.max(gone, come); at += 1) {
    const inner = `${path}[${at}]`;
    if (at >= gone) found.push({ path: inner, kind: "added", after: after[at] });
    else if (at >= come) found.push({ path: inner, kind: "removed", before: before[at] });
    else changes(before[at], after[at], inner, found);
  }
}
