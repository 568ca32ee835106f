// Numbers and times as people read them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const thisYear = new Intl.DateTimeFormat(undefined, full);
const otherYear = new Intl.DateTimeFormat(undefined, { year: "numeric", ...full });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", month: "short", day: "numeric" });

export const time = (iso) => clock.format(new Date(iso));

export function dateTime(iso) {
  const date = new Date(iso);
  const format = date.getFullYear() === new Date().getFullYear() ? thisYear : otherYear;
  return format.format(date);
}

export function day(iso) {
  const date = new Date(iso);
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const ago = Math.ceil((midnight - date) / 86_400_000);
  if (ago <= 0) return "Today";
  return ago === 1 ? "Yesterday" : weekday.format(date);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return null;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours} h ${String(minutes).padStart(2, "0")} m` : `${minutes} m ${rest} s`;
}

// A place in the call, 0:07.2
export function place(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${minutes}:${rest}`;
}

export function mark(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export const gap = (seconds) => (seconds < 0.9995 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);

// Since the first of a row: +4.0 s, +3 m 20 s
export const later = (ms) => (ms < 60_000 ? `+${(ms / 1000).toFixed(1)} s` : `+${duration(ms / 1000)}`);

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KB", "MB"];
  const power = bytes < 1024 * 1024 ? 0 : 1;
  return `${(bytes / 1024 ** (power + 1)).toFixed(1)} ${units[power]}`;
}

const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

export function dollars(cost) {
  if (cost < 0.01 && cost > 0) return `$${small.format(cost)}`;
  if (cost >= 1000) return `$${Math.round(cost).toLocaleString("en")}`;
  return `$${cost.toFixed(cost < 1 ? 3 : 2)}`;
}

export const words = (name) => name.replaceAll(/[-_]/g, " ").replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
export const plural = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
