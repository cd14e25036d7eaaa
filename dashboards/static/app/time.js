// @ts-check
// Knows what time it is by the server, and how times are written.
// Source: spec/ui.md 4 (ages from server time + performance.now()).

import { computed, signal } from "@preact/signals";
import { span } from "./format.js";
import { asked, route } from "./url.js";

/** Seconds of `performance.now()` that tick, so that ages on the page grow. */
export const tick = signal(performance.now() / 1000);
/** Server time when `performance.now()` was 0; null until the server said one. */
const zero_s = signal(/** @type {number | null} */ (null));

/** @returns {number} monotonic seconds */
export function elapsed_s() {
  return performance.now() / 1000;
}

/** Learn the server's time from an answer. @param {Response} response */
export function learn(response) {
  const said = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isNaN(said)) set(said / 1000 + 0.5);
}

/** @param {number} unix_s */
export function set(unix_s) {
  const next = unix_s - elapsed_s();
  if (zero_s.value === null || Math.abs(next - zero_s.value) > 1) zero_s.value = next;
}

/** @returns {number | null} seconds since 1970, by the server */
export function now_s() {
  return zero_s.value === null ? null : zero_s.value + elapsed_s();
}

/** @type {Intl.DateTimeFormatOptions} */
const DAY = { day: "2-digit", month: "short" };
/** @type {Intl.DateTimeFormatOptions} */
const MINUTE = { hour: "2-digit", minute: "2-digit" };

/** Whether times are in UTC. */
export const isUtc = computed(() => (route.value, asked("tz") === "utc"));

function written(at_s, how) {
  return new Intl.DateTimeFormat("en-GB", { ...how, hour12: false, ...(isUtc.value ? { timeZone: "UTC" } : {}) })
    .format(new Date(at_s * 1000))
    .replace("24:", "00:");
}

/** @param {number} at_s */
export function clock(at_s) {
  return written(at_s, { ...MINUTE, second: "2-digit" });
}

/** Date and time, with the zone. @param {number} at_s */
export function moment(at_s) {
  return written(at_s, { ...DAY, ...MINUTE, second: "2-digit", timeZoneName: "short" });
}

/** As short as its distance from now allows. @param {number} at_s */
export function when(at_s) {
  const now = now_s();
  if (now !== null && Math.abs(now - at_s) < 20 * 3600) return clock(at_s);
  return written(at_s, { ...DAY, ...MINUTE });
}

/** @param {string | null | undefined} text RFC 3339 */
export function parsed(text) {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? null : at / 1000;
}

/** How long ago, by the server. @param {number | null} at_s */
export function ago(at_s) {
  tick.value;
  const now = now_s();
  if (at_s === null || now === null) return "";
  return at_s > now + 1 ? `in ${span(at_s - now)}` : `${span(Math.max(0, now - at_s))} ago`;
}

export function zone() {
  return isUtc.value ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

setInterval(() => (tick.value = elapsed_s()), 1000);
