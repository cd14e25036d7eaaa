// @ts-check
// Knows how the rows of a panel become lines and a sentence; pure.

import { figure, spoken, UNKNOWN } from "./format.js";
import { name } from "./text.js";

/**
 * @typedef {{name: string, unit?: string | null, type?: string, role?: string, percentile?: number | null, ok_only?: boolean}} Column
 * @typedef {{column: string, rows: number[], reason?: string, n?: number, needed?: number, instead?: string, max?: number,
 *   low?: (number | null)[], high?: (number | null)[]}} Told
 * @typedef {{ttft_source?: string, traffic?: string, method?: string, population?: string, table?: string,
 *   coverage?: number | null, watermark_unix_s?: number | null, age_s?: number | null, excluded?: Record<string, number>,
 *   refused?: Told[], uncertain?: Told[], inf?: Told[], silent?: string[], ignored?: string[]}} Provenance
 * @typedef {{panel: string, unit: string, from: string, to: string, step_s: number | null, columns: Column[], rows: any[][],
 *   n: (number | null)[], state: string, unlock: {engine: string, flag: string} | null, sql: string,
 *   parameters: Record<string, unknown>, provenance: Provenance, tick_s: number, blind: {start: number, end: number}[], adjusted?: {start: number, end: number, percent: number}[],
 *   error: {title: string, detail: string} | null}} Body
 * @typedef {{id: string, title: string, page: string, question: string, unit: string, kind: string, columns: Column[],
 *   meaning: string, action: string, filters: string[], promql: string, unlock?: Record<string, string>, series?: boolean, live?: boolean,
 *   links: Record<string, string>}} Definition
 * @typedef {{name: string, key: string, column: string, unit: string, values: (number | null)[], low?: (number | null)[],
 *   high?: (number | null)[], before?: (number | null)[], isDashed: boolean, group: string | null,
 *   at: Map<number, number>, fails: Set<number>, place: number}} Series a slot's row in `at`, its failure in `fails`
 */

/** Outcome groups in the order in which they are stacked, with their names. Source: spec/ui.md 4. */
export const GROUPS = {
  good: "good", excluded: "client faults", throttled: "throttled", unreachable: "unreachable", slow: "too slow",
  broken: "broken stream", fault: "engine fault", gave_up: "gave up", unobserved: "unobserved",
};
/** Classes of outcomes, by group. @type {Record<string, string>} */
const CLASSES = {
  good: "ok", excluded: "invalid_request context_length auth not_found quota_exhausted content_filtered client_limit",
  throttled: "rate_limited overloaded", unreachable: "connect_error unavailable", slow: "timeout_first_token timeout_stream",
  broken: "stream_error stream_truncated bad_output", fault: "engine_dead oom server_error", gave_up: "client_cancelled",
};
const GROUP_OF = new Map(Object.entries(CLASSES).flatMap(([group, words]) => words.split(" ").map((one) => [one, group])));
/** Most lines of one chart. */
const SERIES_MAX = 8;

/** @param {string} text @returns {string | null} */
export function groupOf(text) {
  const key = text.replace(/_(per_s|ratio|count)$/, "");
  return key in GROUPS ? key : (GROUP_OF.get(key) ?? null);
}

/** Classes of an outcome group, or a class itself. @param {string} key @returns {string[]} */
export function classesOf(key) {
  return CLASSES[key]?.split(" ") ?? [key];
}

/** Columns of an answer, with what the definition says of them. @param {Body} body @param {Definition} definition */
export function columns(body, definition) {
  const known = new Map(definition.columns.map((one) => [one.name, one]));
  return body.columns.map((one) => ({ ...known.get(one.name), ...one }));
}

/** @param {Column} column */
export function isTime(column) {
  return column.role === "time" || (column.type === "unix_s" && column.name === "t");
}

/** @param {Column} column */
export function isValue(column) {
  return (column.role ?? "value") === "value" && (column.type ?? "number") === "number" && !isTime(column);
}

/**
 * Lines over time. Rows with key columns are one line for each key.
 * @param {Body} body @param {Definition} definition
 * @returns {{times: number[], series: Series[], left: number}}
 */
export function lines(body, definition) {
  const all = columns(body, definition);
  const time = all.findIndex(isTime);
  const keys = all.flatMap((one, at) => (one.role === "key" ? [at] : []));
  const values = all.flatMap((one, at) => (isValue(one) || one.role === "level" ? [at] : []));
  const times = [...new Set(body.rows.map((row) => Number(row[time])))].sort((a, b) => a - b);
  const place = new Map(times.map((t, at) => [t, at]));
  const inf = new Map((body.provenance?.inf ?? []).map((one) => [one.column, new Set(one.rows)]));
  /** @type {Map<string, Series>} */
  const found = new Map();
  body.rows.forEach((row, number) => {
    const key = keys.map((at) => name(row[at])).join(" · ");
    const slot = place.get(Number(row[time])) ?? 0;
    for (const at of values) {
      const column = all[at];
      const isLevel = column.role === "level";
      if (isLevel && row[at] === null) continue;
      const put = (/** @type {(number | null)[]} */ list, /** @type {number | null} */ value) => isLevel ? list.fill(value) : (list[slot] = value);
      const label = keys.length ? (values.length > 1 ? `${key} ${spoken(column.name)}` : key || "all") : spoken(column.name);
      const one = found.get(label) ?? fresh(label, column, keys.length ? key : column.name, column.unit || definition.unit, times.length);
      found.set(label, one);
      put(one.values, row[at]);
      one.at.set(slot, number);
      if (inf.get(column.name)?.has(number)) one.fails.add(slot);
      for (let next = at + 1; all[next]?.role === "low" || all[next]?.role === "high"; next += 1) {
        const side = /** @type {"low" | "high"} */ (all[next].role);
        put(one[side] ??= Array(times.length).fill(null), row[next]);
      }
    }
  });
  // A line without failures says nothing where it is the line with them.
  const apart = [...found.values()].filter((one) => {
    const base = found.get(baseName(one));
    return base === one || !base || one.values.some((value, at) => value !== base.values[at]);
  });
  const ranked = keys.length ? largest(apart) : apart;
  return { times, series: ranked.slice(0, SERIES_MAX), left: Math.max(0, ranked.length - SERIES_MAX) };
}

/** Lines with the places of their tones: one without failures has its line's. @param {Series[]} all */
export function placed(all) {
  return all.map((one, at) => {
    const base = all.findIndex((other) => other.name === baseName(one));
    return { ...one, place: base < 0 ? at : base };
  });
}

function baseName(one) {
  return one.isDashed ? one.name.replace(/^ok /, "") : one.name;
}

function fresh(label, column, key, unit, length) {
  return {
    name: label, key, column: column.name, unit, values: Array(length).fill(null), isDashed: Boolean(column.ok_only),
    group: groupOf(key), at: new Map(), fails: new Set(), place: 0,
  };
}

function largest(all) {
  const order = Object.keys(GROUPS);
  if (all.every((one) => one.group)) return all.sort((a, b) => order.indexOf(a.group ?? "") - order.indexOf(b.group ?? ""));
  const sum = (/** @type {Series} */ one) => one.values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
  return all.sort((a, b) => sum(b) - sum(a));
}

/** @param {(number | null)[]} values @returns {number} place of the last one that is known; -1 if none is */
export function last(values) {
  return values.findLastIndex((one) => typeof one === "number");
}

function median(values) {
  const known = values.filter((one) => typeof one === "number").sort((a, b) => a - b);
  return known.length ? (known[(known.length - 1) >> 1] + known[known.length >> 1]) / 2 : null;
}

/** What the line did: its last quarter against its first. */
function trend(values) {
  const quarter = Math.floor(values.length / 4);
  if (quarter < 2) return "";
  const before = median(values.slice(0, quarter));
  const after = median(values.slice(-quarter));
  if (!before || after === null) return "";
  const change = Math.round(100 * (after / before - 1));
  if (Math.abs(change) < 5) return ", steady";
  return change > 300 ? `, up ${(after / before).toFixed(1)}×` : `, ${change > 0 ? "up" : "down"} ${Math.abs(change)} %`;
}

/**
 * One sentence that says what a chart shows. @param {Definition} definition @param {Series[]} series
 * @param {string} length of the range, in words
 */
export function sentence(definition, series, length) {
  const said = series.flatMap((one) => {
    const at = last(one.values);
    return at < 0 ? [] : [`${one.name} ${figure(one.values[at], one.unit)}${trend(one.values)}`];
  });
  return said.length ? `${definition.title}: ${said.slice(0, 4).join("; ")}, over ${length}.` : `${definition.title}: ${UNKNOWN}.`;
}

/**
 * The median ratio of two series and its middle half; null below four common steps.
 * @param {(number | null)[]} now @param {(number | null)[]} then
 */
export function ratio(now, then) {
  const found = now.flatMap((one, at) => {
    const other = then[at];
    return typeof one === "number" && typeof other === "number" && other > 0 ? [one / other] : [];
  });
  if (found.length < 4) return null;
  found.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => found[Math.min(found.length - 1, Math.floor(share * found.length))];
  return { middle: at(0.5), low: at(0.25), high: at(0.75), n: found.length };
}

/** The provenance mark of an answer. @param {Provenance | undefined} told */
export function mark(told) {
  return { exact: "=", bucketed: "≈", mixed: "≈", estimated: "~", fallback: "!" }[told?.method ?? ""] ?? "=";
}

/**
 * What may be said of one number: its words, and why they are not plain.
 * @param {Body} body @param {string} column @param {number} row @param {unknown} value @param {string | null | undefined} unit
 */
export function said(body, column, row, value, unit) {
  const told = (/** @type {"inf" | "refused" | "uncertain"} */ list) => body.provenance?.[list]?.find((one) => one.column === column && (!one.rows || one.rows.includes(row)));
  const [fails, refused, shaky] = [told("inf"), value === null ? told("refused") : undefined, told("uncertain")];
  const have = refused?.rows.at(-1) === row ? `, have ${refused.n ?? 0}` : "";
  const why = refused ? `needs ${refused.needed ?? "more"} requests${have}` : shaky ? `uncertain below ${shaky.needed} requests` : "";
  const at = shaky?.rows.indexOf(row) ?? -1;
  const [low, high] = [shaky?.low?.[at] ?? null, shaky?.high?.[at] ?? null];
  const within = low === null ? (high === null ? "" : `, up to ${figure(high, unit)}`) : `, ${figure(low, unit)} ${high === null ? "or more" : `to ${figure(high, unit)}`}`;
  return { text: fails ? "fails" : figure(value, unit), fails: Boolean(fails), isRefused: Boolean(refused), shaky: shaky ? `uncertain${within}` : "", why };
}
