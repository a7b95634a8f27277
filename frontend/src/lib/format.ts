/** Numbers and times as people read them. */

const NANO = 1_000_000_000;

/** Nano-dollars as dollars, with as many digits as matter. */
export function money(nano: number): string {
  const dollars = nano / NANO;
  if (dollars === 0) return "$0";
  if (Math.abs(dollars) < 0.0001) return "<$0.0001";
  const digits = Math.abs(dollars) < 0.01 ? 4 : Math.abs(dollars) < 1 ? 3 : 2;
  return `$${dollars.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

export function count(value: number): string {
  if (Math.abs(value) < 10_000) return value.toLocaleString("en");
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** A span of milliseconds. */
export function duration(ms: number): string {
  if (ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long something took, or has taken so far. */
export function took(from: string | null | undefined, to: string | null | undefined, now: number): string {
  if (!from) return "–";
  return duration(Math.max(0, (to ? Date.parse(to) : now) - Date.parse(from)));
}

/** `12 s ago`, `in 3 d`. */
export function relative(at: string, now: number): string {
  const ms = now - Date.parse(at);
  const seconds = Math.abs(ms) / 1000;
  const text =
    seconds < 5 ? "now"
    : seconds < 60 ? `${Math.round(seconds)} s`
    : seconds < 3600 ? `${Math.round(seconds / 60)} min`
    : seconds < 86_400 ? `${Math.round(seconds / 3600)} h`
    : seconds < 30 * 86_400 ? `${Math.round(seconds / 86_400)} d`
    : new Date(at).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
  if (text === "now" || seconds >= 30 * 86_400) return text;
  return ms >= 0 ? `${text} ago` : `in ${text}`;
}

/** The moment itself, in the reader's zone and in UTC. */
export function exact(at: string): string {
  const moment = new Date(at);
  const local = moment.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium", hour12: false });
  return `${local} (${Intl.DateTimeFormat().resolvedOptions().timeZone})\n${moment.toISOString()}`;
}

export function clock(at: string): string {
  return new Date(at).toLocaleTimeString("en-GB", { hour12: false });
}

export function shortId(id: string): string {
  return id.length > 14 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}

/** `crash_loop` as `crash loop`. */
export function words(code: string): string {
  return code.replaceAll("_", " ");
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}
