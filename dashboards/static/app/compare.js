// @ts-check
// Knows what panels are compared with, and which can be.
// Source: spec/ui.md 6 (compare everywhere).

import { figure, number, span } from "./format.js";
import { name } from "./text.js";
import { now_s } from "./time.js";
import { asked, earlier, instant, range, shift } from "./url.js";

/**
 * @typedef {{name: string, dim: string, value: string, back_s: number}} Against a dimension's value, or seconds before
 * @typedef {Against & {body: import("./series.js").Body | null, problem: import("./api.js").Problem | null}} Other what it answers
 */

const DIMS = ["endpoint", "model", "replica", "region", "class", "variant", "tenant"];
/** Kinds with numbers that stand beside others. */
const KINDS = ["line", "stacked", "bar", "stat"];

/** @returns {Against | null} */
export function against() {
  const text = asked("compare");
  const back_s = shift(text);
  if (back_s) return { name: `${text.endsWith("s") ? span(back_s) : text.slice(1)} before`, dim: "", value: "", back_s };
  const [, dim = "", value = ""] = /^(\w+):(.+)$/.exec(text) ?? [];
  return DIMS.includes(dim) ? { name: `${dim} ${name(value)}`, dim, value, back_s: 0 } : null;
}

/** Why a panel is not compared; empty if it is. @param {Against} other @param {string} kind @param {string[]} filters that its rows know */
export function whyNot(other, kind, filters) {
  if (!KINDS.includes(kind)) return `not compared: ${kind === "heatmap" ? "a map" : "a table"}`;
  if (!filters.length) return "not compared: it tells of now";
  return other.dim && !filters.includes(other.dim) ? `not compared: it knows no ${other.dim}` : "";
}

/** What a panel is asked for to be the other. @param {Against} other @param {Record<string, string>} params */
export function changed({ dim, value, back_s }, params) {
  return dim ? { ...params, [dim]: value } : { ...params, from: earlier(params.from, back_s), to: earlier(params.to, back_s) };
}

/** The newest part of the range, beside an earlier one that is as long. @param {number} from_s @param {number} to_s */
export function newest(from_s, to_s) {
  const { to } = range();
  const back_s = Math.round((instant(to, now_s() ?? 0) ?? 0) - to_s);
  return { from: earlier(to, to_s - from_s), compare: back_s > 0 ? `-${back_s}s` : null };
}

/** How a number stands beside the other. @param {unknown} value @param {unknown} before @param {string | null | undefined} unit */
export function beside(value, before, unit) {
  if (typeof before !== "number") return "";
  return `vs ${figure(before, unit)}${typeof value === "number" && before > 0 ? ` · ×${number(value / before)}` : ""}`;
}
