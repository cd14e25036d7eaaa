// @ts-check
// Knows how single numbers are shown, and which are not said, and why.

import { beside } from "./compare.js";
import { html } from "./dom.js";
import { figure, spoken } from "./format.js";
import { tone } from "./plot.js";
import { columns, isValue, last, mark, said } from "./series.js";
import { name } from "./text.js";
import { clock } from "./time.js";

/**
 * @typedef {import("./series.js").Body} Body
 * @typedef {import("./series.js").Definition} Definition
 * @typedef {import("./compare.js").Other} Against
 */

/** Slots from which on the last number of a line is told with its time. */
const OLD_SLOTS = 6;

/** @param {{one: import("./series.js").Series, at: number, body: Body, isBox: boolean, way: string | null}} props at: slot; the last if below 0 */
export function Value({ one, at, body, isBox, way }) {
  const slot = at < 0 ? Math.max(last(one.values), ...one.fails) : at;
  const isOld = at < 0 && slot >= 0 && Math.max(...one.at.keys(), 0) - slot > OLD_SLOTS;
  const row = one.at.get(slot) ?? -1;
  const value = one.values[slot] ?? null;
  const { text, why, fails, shaky } = said(body, one.column, row, value, one.unit);
  const [low, high] = [one.low?.[slot], one.high?.[slot]];
  const words = [why, typeof low === "number" && typeof high === "number" && `${figure(low, one.unit)} to ${figure(high, one.unit)}`].filter(Boolean).join("; ");
  return html`<li title=${words}>
    <span class=${`swatch ${isBox ? `box g-${one.group}` : ""} ${one.isDashed ? "dashed" : ""}`} style=${{ "--tone": `var(--${tone(one)})` }}></span>
    <span class="name">${way ? html`<a href=${way}>${one.name}</a>` : one.name}</span>
    <b class=${`${shaky ? "uncertain" : ""} ${isOld ? "soft" : ""}`}>${text}</b>
    ${shaky && html`<span class="name">${shaky}</span>`}
    ${isOld && html`<span class="name">at ${clock(Number(body.rows[row]?.[0])).slice(0, 5)}</span>`}
    <span class=${`mark ${fails ? "fail" : ""}`} title=${words || body.provenance?.method}>${mark(body.provenance)}</span>
    ${one.before && html`<span class="name">${beside(value, one.before[slot], one.unit)}</span>`}
  </li>`;
}

/** One row: a number for each column. @param {{body: Body, definition: Definition, other: Against | null}} props */
export function Stats({ body, definition, other }) {
  const row = body.rows[0] ?? [];
  return html`<dl class="stats">${columns(body, definition).map((one, at) => {
    if (["low", "high"].includes(one.role ?? "")) return null;
    const isText = one.type === "text";
    const { text, why, shaky } = said(body, one.name, 0, isText ? name(row[at] ?? "n/a") : row[at], one.unit);
    return html`<div title=${why}><dt>${spoken(one.name)}</dt>
      <dd><span class=${shaky ? "uncertain" : ""}>${text}</span> ${!isText && row[at] !== null && html`<span class="mark">${mark(body.provenance)}</span>`}</dd>
      ${shaky && html`<dd class="soft small">${shaky}</dd>`}
      ${other?.body && html`<dd class="soft small">${beside(row[at], cellOf(other.body, one.name, other.body.rows[0]), one.unit)}</dd>`}</div>`;
  })}</dl><${Than} of=${other} />`;
}

function cellOf(body, column, row) {
  return row?.[body.columns.findIndex((one) => one.name === column)];
}

/** @param {{body: Body, definition: Definition, link?: (row: any[], column: string) => string | null, other: Against | null}} props */
export function Bars({ body, definition, link, other }) {
  const all = columns(body, definition);
  const values = all.flatMap((one, at) => (isValue(one) ? [at] : []));
  const keys = all.flatMap((one, at) => (one.role === "key" ? [at] : []));
  const rows = body.rows.slice(0, 20);
  const top = Math.max(...rows.flatMap((row) => values.map((at) => row[at] ?? 0)), 0) || 1;
  return html`<ul class="bars">${rows.map((row, number) => {
    const label = keys.map((at) => name(row[at])).join(" · ") || "all";
    const address = link?.(row, all[keys[0]]?.name ?? "");
    return html`<li><div>${address ? html`<a href=${address}>${label}</a>` : label}${typeof body.n[number] === "number" && html` <span class="soft small">n ${body.n[number]}</span>`}</div>
      ${values.map((at, place) => html`<div class="row"><span class="soft small">${spoken(all[at].name)}</span><div class="track"><i style=${{ "--tone": `var(--${tone({ place })})`, width: `${(100 * Math.max(0, row[at] ?? 0)) / top}%` }}></i></div><b>${said(body, all[at].name, number, row[at], all[at].unit ?? definition.unit).text}</b>
        ${other?.body && html`<span class="soft small">${beside(row[at], cellOf(other.body, all[at].name, other.body.rows.find((one) => keys.every((key) => one[key] === row[key]))), all[at].unit)}</span>`}</div>`)}
    </li>`;
  })}</ul><${Than} of=${other} />`;
}

/** @param {{of: Against | null}} props */
function Than({ of }) {
  return of && html`<p class="says">Against ${of.name}${of.problem ? `: ${of.problem.message}` : ""}</p>`;
}

/** @param {{body: Body}} props */
export function Refusals({ body }) {
  const known = new Set();
  const all = (body.provenance?.refused ?? []).filter((one) => !/^(ok|visible)_/.test(one.column) && !known.has(one.column) && known.add(one.column));
  if (!all.length) return null;
  const rows = body.rows.length;
  const words = all.map((one) => `${spoken(one.column)} needs ${one.needed ?? "more"} requests${rows > 1 ? ` a row, missing in ${one.rows.length} of ${rows}` : ""}${one.n === null || one.n === undefined ? "" : `, ${rows > 1 ? "last " : ""}have ${one.n}`}`);
  const widest = all.find((one) => typeof one.max === "number");
  return html`<p class="refusals">Not shown: ${words.join("; ")}${widest ? `; the largest of it was ${figure(widest.max, widest.column.startsWith("ttft") ? "s" : body.unit)}` : ""}. Widen the range or the step.</p>`;
}
