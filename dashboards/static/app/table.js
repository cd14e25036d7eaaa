// @ts-check
// Knows how rows become a table.

import { headUnit, spoken } from "./format.js";
import { html } from "./dom.js";
import { Copy } from "./empty.js";
import { columns, groupOf, GROUPS, isTime, said } from "./series.js";
import { name, whole } from "./text.js";
import { moment, when } from "./time.js";

/** Most steps, and most rows of any other table; .csv and .json hold all. */
const STEPS_MAX = 500;
const ROWS_MAX = 200;
const NAMES = Object.keys(GROUPS);
/** Columns whose texts are told by their ends. */
const IDS = new Set(["id", "trace", "gpu_uuid"]);

/**
 * The numbers of a panel's .json twin.
 * @param {{body: import("./series.js").Body, definition: import("./series.js").Definition,
 *   link?: (row: any[], column: string) => string | null, struck?: (row: any[]) => boolean}} props
 */
export function PanelTable({ body, definition, link, struck }) {
  const all = columns(body, definition);
  const isSeries = all.some((one) => one.role === "time");
  const most = isSeries ? STEPS_MAX : ROWS_MAX;
  const from = isSeries ? Math.max(0, body.rows.length - most) : 0;
  const rows = body.rows.slice(from, from + most);
  const hasN = body.n?.some((one) => one !== null && one !== undefined) && !all.some((one) => one.name === "n");
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${`${definition.title}, table`}>
    <table data-rows=${body.rows.length}>
      <thead><tr>
        ${all.map((one) => html`<th scope="col" class=${isText(one) ? "" : "figure"} title=${one.name}>${isTime(one) ? "time" : spoken(one.name)}${headUnit(one.name, one.unit) && html` <span class="soft">${headUnit(one.name, one.unit)}</span>`}</th>`)}
        ${hasN && html`<th scope="col" class="figure" data-n="1">n</th>`}
      </tr></thead>
      <tbody>${rows.map((row, at) => html`<tr class=${struck?.(row) ? "struck" : ""}>
        ${all.map((one, place) => cell(row, one, place, body, from + at, link))}
        ${hasN && html`<td class="figure" data-n="1">${body.n[from + at] ?? ""}</td>`}
      </tr>`)}</tbody>
    </table>
    ${rows.length < body.rows.length && html`<p class="says">The ${isSeries ? "last" : "first"} ${most} of ${body.rows.length} rows; .csv and .json hold all.</p>`}
  </div>`;
}

function isText(column) {
  return ["text", "numbers", "unix_s"].includes(column.type ?? "") || isTime(column);
}

/**
 * @param {any[]} row @param {import("./series.js").Column} column @param {number} place @param {import("./series.js").Body} body
 * @param {number} number @param {((row: any[], column: string) => string | null) | undefined} link
 */
function cell(row, column, place, body, number, link) {
  const value = row[place];
  const raw = JSON.stringify(value ?? null);
  if (column.type === "numbers") return html`<td data-value=${raw}><${Beat} slots=${value ?? []} /></td>`;
  const address = link?.(row, column.name);
  if (column.type === "unix_s" || isTime(column)) {
    const [text, whole] = typeof value === "number" ? [when(value), moment(value)] : ["", ""];
    return html`<td class="nowrap" data-value=${raw} title=${whole}>${address ? html`<a href=${address}>${text}</a>` : text}</td>`;
  }
  if (column.type === "text") {
    const text = name(value);
    const isId = IDS.has(column.name) && text.length > 12;
    const shown = isId ? `…${text.slice(-8)}` : groupOf(text) ? spoken(text) : text;
    const hint = isId || whole(value).length > text.length ? whole(value) : "";
    return html`<td class=${`name-cell ${isId ? "mono" : ""} ${shown.length < 29 ? "nowrap" : "long"}`} data-value=${raw} title=${hint}>${column.name === "yaml" && text ? html`<${Copy} text=${text} />` : address ? html`<a href=${address}>${shown || "(none)"}</a>` : shown}</td>`;
  }
  const { text, why, isRefused, shaky } = said(body, column.name, number, value, column.unit);
  return html`<td class="figure" data-value=${raw} title=${shaky || why}><span class=${shaky ? "uncertain" : ""}>${isRefused ? "refused" : text}</span>${shaky && html`<span class="soft" aria-hidden="true">?</span><span class="hidden"> ${shaky}</span>`}</td>`;
}

/** A strip of time: in each slot the worst group. */
function Beat({ slots }) {
  const bad = slots.filter((one) => one !== null && groupAt(one) !== "good").length;
  const seen = slots.filter((one) => one !== null).length;
  const says = `${seen} of ${slots.length} slots with requests, ${bad} of them with bad ones`;
  return html`<span class="beat" role="img" aria-label=${says} title=${says}>
    ${slots.map((one) => html`<i class=${one === null ? "" : `g-${groupAt(one)}`}></i>`)}
  </span>`;
}

function groupAt(slot) {
  return typeof slot === "number" ? (NAMES[slot] ?? "unobserved") : slot;
}

/**
 * A table of a page's own.
 * @param {{label: string, heads: [string, boolean?][], rows: any[][]}} props heads: whether they are figures
 */
export function Table({ label, heads, rows }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead><tr>${heads.map(([text, isFigure]) => html`<th scope="col" class=${isFigure ? "figure" : ""}>${text}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.map((cell, at) => html`<td class=${heads[at][1] ? "figure" : `name-cell ${cell?.length > 28 ? "long" : ""}`}>${cell}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}
