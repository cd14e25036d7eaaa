// @ts-check
// Knows how a number is written for people; pure. Source: spec/ui.md 4 (formats).

const KILO = 1000;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** What stands where a number is unknown. */
export const UNKNOWN = "n/a";

/** Three significant digits. */
function digits(value) {
  if (!value) return "0";
  const rounded = Number(value.toPrecision(3));
  const places = 2 - Math.floor(Math.log10(Math.abs(rounded)));
  return rounded.toFixed(Math.min(Math.max(places, 0), 6));
}

/** @param {number | null | undefined} seconds @returns {string} */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds === 0) return "0 s";
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds < 0.001) return `${digits(seconds * KILO * KILO)} µs`;
  if (Number((seconds * KILO).toPrecision(3)) < KILO) return `${digits(seconds * KILO)} ms`;
  if (seconds < 59.95) return `${digits(seconds)} s`;
  return span(seconds);
}

/** A length of time in whole units, at most two of them. @param {number} seconds */
export function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return two(whole, MINUTE, "min", 1, "s");
  if (whole < 2 * DAY) return two(whole, HOUR, "h", MINUTE, "min");
  return two(whole, DAY, "d", HOUR, "h");
}

function two(whole, big, name, small, rest) {
  const first = Math.floor(whole / big);
  const second = Math.floor((whole - first * big) / small);
  return second ? `${first} ${name} ${second} ${rest}` : `${first} ${name}`;
}

/** @param {number | null | undefined} value */
export function number(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (Number.isInteger(value) && Math.abs(value) < 10 * KILO) return String(value);
  let scaled = value;
  for (const unit of ["", "k", "M"]) {
    if (Math.abs(scaled) < KILO - 0.5) return (Math.abs(scaled) < 1 ? digits(scaled).replace(/0+$/, "") : digits(scaled)) + unit;
    scaled /= KILO;
  }
  return `${digits(scaled)}G`;
}

/**
 * In per cent, never rounded onto or across the objective, 0 or 1.
 * @param {number | null | undefined} value @param {number | null} [objective]
 */
export function share(value, objective = null) {
  if (value === null || value === undefined) return UNKNOWN;
  const bounds = [0, 1, ...(objective === null ? [] : [objective])];
  for (let places = 1; places <= 8; places += 1) {
    const shown = Number((100 * value).toFixed(places)) / 100;
    const same = (/** @type {number} */ bound) =>
      Math.sign(Number((value - bound).toFixed(12))) === Math.sign(Number((shown - bound).toFixed(12)));
    if (bounds.every(same)) return `${trimmed((100 * value).toFixed(places), objective === null ? 0 : 1)} %`;
  }
  return `${100 * value} %`;
}

function trimmed(text, least) {
  const short = text.replace(/\.?0+$/, "");
  return least && !short.includes(".") && Number(short) % 100 ? text.replace(/(\.\d)0+$/, "$1") : short;
}

/** Units of what is counted: its name stands before the number. */
const COUNTED = new Set(["requests", "tokens", "records", "replicas", "count"]);
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

function bytes(value) {
  let scaled = value;
  let at = 0;
  while (Math.abs(scaled) >= 1024 && at < BYTES.length - 1) {
    scaled /= 1024;
    at += 1;
  }
  return `${at ? digits(scaled) : scaled} ${BYTES[at]}`;
}

/**
 * A value with its unit.
 * @param {unknown} value @param {string | null | undefined} unit @param {number | null} [objective]
 * @returns {string}
 */
export function figure(value, unit, objective = null) {
  if (value === null || value === undefined) return UNKNOWN;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  switch (unit) {
    case "s":
      return duration(value);
    case "us":
      return duration(value / 1e6);
    case "s/token":
      return `${duration(value)}/token`;
    case "ratio":
      return share(value, objective);
    case "bytes":
      return bytes(value);
    case "x":
      return `${number(value)}×`;
    default:
      return !unit || COUNTED.has(unit) ? number(value) : unit.startsWith("1/") ? number(value) + unit.slice(1) : `${number(value)} ${unit}`;
  }
}

/** The unit behind a heading. @param {string | null | undefined} unit */
export function unitName(unit) {
  return { ratio: "%", x: "×", "1/s": "per second", count: "", "": "" }[unit ?? ""] ?? unit ?? "";
}

/** The same, above a column that names its things itself. @param {string} column @param {string | null | undefined} unit */
export function headUnit(column, unit) {
  if (COUNTED.has(unit ?? "")) return "";
  const text = unit === "1/s" ? "/s" : unitName(unit);
  return text === "s/token" || /tokens/.test(column) ? text.replace("tok/s", "/s").replace("s/token", "") : text;
}

/** @param {number} value @param {string} unit @param {number} step */
export function tick(value, unit, step) {
  if (value === 0) return "0";
  if (unit === "ratio") {
    return `${(100 * value).toFixed(Math.max(0, Math.min(4, Math.ceil(-Math.log10(100 * step) - 1e-9))))}%`;
  }
  if (unit === "s" || unit === "s/token") {
    if (Math.abs(value) < 1) return `${short(value * KILO)}ms`;
    return value < 600 ? `${short(value)}s` : `${short(value / MINUTE)}min`;
  }
  if (unit === "bytes") return bytes(value).replace(/\.0+ /, " ");
  for (const [size, name] of /** @type {[number, string][]} */ ([[1e9, "G"], [1e6, "M"], [1e3, "k"]])) {
    if (Math.abs(value) >= size) return short(value / size) + name;
  }
  return short(value);
}

function short(value) {
  return String(Number(value.toPrecision(4)));
}

/**
 * How long a budget lasts at a burn rate.
 * @param {number | null} left share that is left @param {number} period_s @param {number | null | undefined} burn
 */
export function lasting(left, period_s, burn) {
  if (left === null || burn === null || burn === undefined) return UNKNOWN;
  if (left <= 0) return "spent";
  if (burn <= 0) return "not burning";
  const seconds = (left * period_s) / burn;
  return seconds > 10 * period_s ? "not burning" : `${span(roughly(seconds))} at this burn`;
}

function roughly(seconds) {
  const grain = seconds < HOUR ? 1 : seconds < 2 * DAY ? MINUTE : HOUR;
  return Math.round(seconds / grain) * grain;
}

/** @param {string} name */
export function spoken(name) {
  return name
    .replace(/^(.*)_(p\d+)$/, "$1 $2")
    .replace(/(\D)_(s|ratio|per_s|bytes|count)$/, "$1")
    .replaceAll("_", " ");
}
