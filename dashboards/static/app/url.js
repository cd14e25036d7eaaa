// @ts-check
// Knows how the whole state of a page stands in its address; unknown keys are kept. Source: spec/ui.md 6.
// Addresses are made from this module's own, so that a path prefix works.

import { signal } from "@preact/signals";

/** Where the pages begin: `…/ui/`. */
export const PAGES = new URL("../", import.meta.url);
/** Where the API begins. */
export const API = new URL("../", PAGES);
const DEFAULTS = { from: "now-15m", to: "now" };
/** Keys that go to the API with every panel. */
const FILTERS = ["endpoint", "model", "region", "class", "variant", "replica", "tenant", "run", "traffic"];
const AGO = /^now(?:-(\d+)([smhdw]))?$/;
const UNIT_S = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/**
 * @typedef {{path: string[], query: URLSearchParams}} Route
 */

/** @param {string} href @param {string} [base] @returns {Route} */
export function read(href, base = PAGES.pathname) {
  const url = new URL(href);
  const rest = url.pathname.startsWith(base) ? url.pathname.slice(base.length) : "";
  return { path: rest.split("/").filter(Boolean).map(plain), query: url.searchParams };
}

function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @type {import("@preact/signals").Signal<Route>} */
export const route = signal(read(location.href));

/**
 * The address of a page.
 * @param {string[]} path @param {Record<string, string | null | undefined>} [changes] @param {URLSearchParams} [query]
 */
export function href(path, changes = {}, query = carried(route.value.query)) {
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") next.delete(key);
    else next.set(key, value);
  }
  const text = next.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return PAGES.pathname + path.map(encodeURIComponent).join("/") + (text ? `?${text}` : "");
}

/** What goes along to another page. */
function carried(query) {
  const next = new URLSearchParams(query);
  for (const key of ["panel", "view", "t0", "t1", "low", "high", "group", "outcome", "find", "a", "b"]) {
    next.delete(key);
  }
  return next;
}

/** The same page, with changes. @param {Record<string, string | null | undefined>} changes */
export function here(changes) {
  return href(route.value.path, changes, route.value.query);
}

/** @param {string} address @param {boolean} [replaces] */
export function go(address, replaces = false) {
  if (replaces) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  route.value = read(location.href);
}

/** @param {Record<string, string | null | undefined>} changes @param {boolean} [replaces] */
export function change(changes, replaces = false) {
  go(here(changes), replaces);
}

/** One key, or its default. @param {string} key @param {string} [other] */
export function asked(key, other = "") {
  return route.value.query.get(key) ?? other;
}

/** @returns {{from: string, to: string}} */
export function range() {
  return { from: asked("from", DEFAULTS.from), to: asked("to", DEFAULTS.to) };
}

/** Seconds since 1970 of one end of a range; null if it cannot be read. @param {string} text @param {number} now_s */
export function instant(text, now_s) {
  const found = AGO.exec(text);
  if (found) return now_s - (found[1] ? Number(found[1]) * UNIT_S[/** @type {keyof typeof UNIT_S} */ (found[2])] : 0);
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at / 1000;
}

/** A shift as `-1d`, in seconds back; null if it is none. @param {string} text */
export function shift(text) {
  const found = /^-(\d+)([smhdw])$/.exec(text);
  return found ? Number(found[1]) * UNIT_S[/** @type {keyof typeof UNIT_S} */ (found[2])] : null;
}

/** One end of a range so much before. @param {string} text @param {number} back_s */
export function earlier(text, back_s) {
  const at_s = instant(text, 0) ?? 0;
  return AGO.test(text) ? ago(back_s - at_s) : iso(at_s - back_s);
}

function ago(seconds) {
  return `now-${seconds % 60 && seconds < 1e6 ? `${Math.round(seconds)}s` : `${Math.round(seconds / 60)}m`}`;
}

/** @param {number} at_s */
export function iso(at_s) {
  return new Date(at_s * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * The range moved by a share of its length, or made longer.
 * @param {number} now_s @param {{move?: number, zoom?: number}} how
 */
export function moved(now_s, { move = 0, zoom = 1 }) {
  const { from, to } = range();
  const [start, end] = [instant(from, now_s) ?? now_s - 900, instant(to, now_s) ?? now_s];
  const length = Math.min(Math.max(Math.round((end - start) * zoom), 60), 90 * 86400);
  const until = zoom !== 1 && to === "now" ? now_s : Math.min((start + end + length) / 2 + move * (end - start), now_s);
  return until >= now_s - 1 && (move > 0 || to === "now") ? { from: ago(length), to: "now" } : { from: iso(Math.round(until - length)), to: iso(Math.round(until)) };
}

/** Whether the page follows the clock. */
export function isLive() {
  return range().to === "now" && asked("live", "1") !== "0";
}

/** Filters that are set. @returns {Record<string, string>} */
export function filters() {
  return Object.fromEntries(FILTERS.map((key) => [key, asked(key)]).filter(([, value]) => value));
}
