// @ts-check
// Knows the names to choose from: those that stood in any answer.

import { signal } from "@preact/signals";

const NAMES_MAX = 500;

export const known = signal(/** @type {Record<string, string[]>} */ ({ endpoint: [], model: [], replica: [] }));

/** @param {import("./series.js").Body} body */
export function learnNames(body) {
  for (const [at, { name }] of body.columns.entries()) {
    const before = known.value[name];
    const next = before?.length < NAMES_MAX && new Set([...before, ...body.rows.flatMap((row) => (row[at] ? [String(row[at])] : []))]);
    if (next && next.size > before.length) known.value = { ...known.value, [name]: [...next].sort().slice(0, NAMES_MAX) };
  }
}
