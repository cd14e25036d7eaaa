// @ts-check
// Knows the page of one request.

import { Part, useAsk } from "./ask.js";
import { html } from "./dom.js";
import { duration, figure, spoken } from "./format.js";
import { groupOf } from "./series.js";
import { Table } from "./table.js";
import { name, whole } from "./text.js";
import { href } from "./url.js";

const TONES = { network: "e", tee: "muted", queue: "b", prefill: "a", decode: "c", stall: "f", rest: "excluded" };
/** What stands above all other columns. */
const FIRST = ["started_at", "endpoint", "model", "replica", "api", "stream", "http_status", "finish_reason", "origin", "phase", "ttft_us", "tpot_us", "icl_max_us", "e2e_us", "elapsed_us", "tokens_in", "tokens_out", "ttft_source", "ttft_quality", "run_id"];
const NO_TRACE = /^0*$/;

/** @param {{of: string}} props */
export function OneRequest({ of }) {
  const found = useAsk(`v1/requests/${encodeURIComponent(of)}`, {}, 3600);
  const isGone = found.problem?.status === 404;
  const shown = isGone ? { told: {}, problem: null, again: found.again } : found;
  return html`<div class="head"><h1>One request</h1><code>${name(of)}</code><span class="grow"></span><a href=${href(["requests"])}>All requests</a></div>
    <div class="grid"><${Part} id="req.detail" title="Where its time went" wide="wide" asked=${shown} isEmpty=${isGone}
      why=${html`<strong>This request is not stored</strong><span>Single requests are kept for 14 days; roll-ups hold what came before, without their parts.</span>`}>
      ${found.told && html`<${Whole} told=${found.told} />`}<//></div>`;
}

function Whole({ told }) {
  const { columns, parts } = told;
  const get = (/** @type {string} */ key) => columns[key]?.value ?? null;
  const total = parts.reduce((/** @type {number} */ sum, one) => sum + one.s, 0);
  const outcome = String(get("outcome"));
  const trace = String(get("trace_id") ?? "");
  const rest = Object.keys(columns).filter((key) => ![null, "", 0].includes(get(key)) || FIRST.includes(key));
  return html`
    <p class="sentence"><span class=${`swatch box g-${groupOf(outcome) ?? ""}`}></span> ${spoken(name(outcome))} <span class="soft">${get("phase") === "done" ? "" : `while ${name(get("phase"))}`}</span></p>
    ${total > 0 && html`<div class="timeline" role="img" aria-label=${parts.map((one) => `${one.name} ${duration(one.s)}`).join(", ")}>
      ${parts.map((one) => html`<span title=${`${one.name} ${duration(one.s)}`} style=${{ "--tone": `var(--${tone(one.name)})`, width: `${(100 * one.s) / total}%` }}></span>`)}</div>
    <ul class="legend">${parts.map((one) => html`<li><span class="swatch box" style=${{ "--tone": `var(--${tone(one.name)})` }}></span><span class="name">${one.name}, ${name(one.clock)}'s clock</span><b>${duration(one.s)}</b></li>`)}
      <li class="at">together ${duration(total)}</li></ul>`}
    <${Tokens} seconds=${told.tokens_by_s ?? []} />
    <dl class="facts">${FIRST.filter((key) => columns[key] && get(key) !== "").map((key) => html`<div title=${whole(columns[key].meaning)}><dt>${label(key)}</dt><dd>${shown(columns[key])}</dd></div>`)}
      ${!NO_TRACE.test(trace) && html`<div><dt>trace</dt><dd><code>${name(trace)}</code></dd></div>`}</dl>
    <details><summary>Everything that is stored of it, ${rest.length} columns</summary>
      <${Table} label="Columns" heads=${[["column"], ["value"], ["what it means"]]} rows=${rest.map((key) => [key, shown(columns[key]), name(columns[key].meaning)])} /></details>`;
}

function tone(part) {
  return TONES[/** @type {keyof typeof TONES} */ (part)] ?? "muted";
}

function label(key) {
  return key.replace(/_us$/, "").replaceAll("_", " ");
}

function shown({ value, unit }) {
  if (typeof value === "number" && unit === "us") return figure(value, "us");
  if (typeof value === "number") return figure(value, "");
  if (value === null) return "n/a";
  return typeof value === "object" ? name(JSON.stringify(value)) : name(value);
}

/** A second without tokens is a stall. */
function Tokens({ seconds }) {
  if (seconds.length < 2) return null;
  const most = Math.max(...seconds, 1);
  const says = `Output tokens in each second since the first: ${seconds.slice(0, 60).join(", ")}`;
  return html`<div><p class="says">${says.length > 160 ? `Output tokens in each of ${seconds.length} seconds, ${most} at most` : says}</p>
    <div class="beat tokens" role="img" aria-label=${says}>${seconds.slice(0, 300).map((n) => html`<i style=${{ background: "var(--a)", height: `${Math.max(3, (100 * n) / most)}%` }}></i>`)}</div></div>`;
}
