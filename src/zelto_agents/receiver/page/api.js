// Talking to the receiver.

export class Refused extends Error {
  constructor(status, body) {
    super(said(body) ?? `The receiver answered ${status}`);
    this.status = status;
  }
}

function said(body) {
  const { error, details } = body ?? {};
  if (typeof error !== "string") return null;
  if (!Array.isArray(details)) return error;
  return details.map((each) => `${each.path ? `${each.path}: ` : ""}${each.message}`).join("; ") || error;
}

async function call(method, path, value) {
  const body = value === undefined ? undefined : JSON.stringify(value);
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(path, { method, body, headers });
  const found = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, found);
  return found;
}

export const get = (path) => call("GET", path);
export const post = (path, value) => call("POST", path, value);
export const remove = (path) => call("DELETE", path);

// Sends a body the way of an upload; its answer is no error here, whatever it is.
export async function upload(path, body, provider) {
  const headers = { "Content-Type": "application/json", ...(provider ? { "X-Zelto-Provider": provider } : {}) };
  try {
    const answer = await fetch(path, { method: "POST", body, headers });
    return { status: answer.status, answer: await answer.json().catch(() => null) };
  } catch {
    return { status: null, answer: null };
  }
}

export const outcome = ({ status }) => (status === null ? "the connection was cut" : `answered ${status}`);
