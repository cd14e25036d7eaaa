// @ts-check
// Knows the pages of load tests: runs, what one was, and two of them side by side.

import { html } from "./dom.js";
import { Empty } from "./empty.js";
import { figure, number, share, spoken } from "./format.js";
import { Panel } from "./panel.js";
import { Table } from "./table.js";
import { name } from "./text.js";
import { asked, change, href } from "./url.js";
import { Xy } from "./xy.js";

/** @typedef {import("./series.js").Body} Body @typedef {import("./series.js").Definition} Definition */

const RANGE = { from: "now-30d", to: "now" };
const ABREAST = { display: "grid", gridTemplateColumns: "repeat(auto-fit, minmax(min(300px, 100%), 1fr))", gap: "0 18px" };
/** Curves of one chart. */
const CURVES_MAX = 6;
/** What is drawn over the offered rate. @type {[string, string, string][]} */
const OVER_RATE = [["good_per_s", "1/s", "Good requests by offered rate"], ["ttft_p95", "s", "TTFT p95"], ["tpot_p95", "s/token", "Time per token p95"]];
const VERDICTS = { worse: "bad", "both fail": "bad", better: "ok", unfit: "warn", "n too small": "warn" };

/** Runs are rare: a month unless a range is asked for. */
function own(more = {}) {
  return { ...(asked("from") ? {} : RANGE), traffic: "loadtest", ...more };
}

/** Rows by the names of their columns. @param {Body} body @returns {Record<string, any>[]} */
export function named(body) {
  return body.rows.map((row) => Object.fromEntries(body.columns.map((one, at) => [one.name, row[at]])));
}

/** @param {Record<string, any>[]} rows @param {string} x @param {string} y @returns {(number | null)[][]} points with the ends of their intervals */
export function points(rows, x, y) {
  return rows.filter((row) => row[x] !== null && row[y] !== null).map((row) => [row[x], row[y], row[`${y}_low`], row[`${y}_high`]]);
}

export function LoadTests() {
  return html`<div class="head"><h1>Load tests</h1><span class="soft">May we ship, and what is normal? The last 30 days unless a range is chosen.</span></div>
    <div class="grid">
      <${Runs} own=${own()} /><${Panel} id="lt.knee" own=${own()} wide="wide" draw=${knee} /><${Panel} id="lt.fit" own=${own()} wide="wide" />
    </div>`;
}

/** What is unfit is struck through, never hidden. */
function Runs({ own, title }) {
  let fitAt = -1;
  const only = (/** @type {Body} */ body) => (fitAt = body.columns.findIndex((one) => one.name === "fit"), body);
  const link = (/** @type {any[]} */ row, /** @type {string} */ column) => column === "run_id" ? href(["loadtests", String(row[0])]) : null;
  return html`<${Panel} id="lt.runs" own=${own} wide="wide" title=${title} link=${link} only=${only} struck=${(/** @type {any[]} */ row) => ["unfit", "void"].includes(row[fitAt])} />`;
}

function knee(body, definition) {
  const rows = named(body);
  const runs = [...new Set(rows.map((row) => row.run_id))].slice(0, CURVES_MAX);
  const marked = rows.filter((row) => row.mark && runs.includes(row.run_id));
  return rows.length ? html`<div style=${ABREAST}>${OVER_RATE.map(([y, unit, title]) => {
    const lines = runs.map((run) => ({ name: name(run), points: points(rows.filter((row) => row.run_id === run), "offered_per_s", y) })).filter((one) => one.points.length);
    return lines.length > 0 && html`<div><p class="ask">${title}</p><${Xy} lines=${lines} x="1/s" y=${unit} label=${title} hasDiagonal=${unit === "1/s"} marks=${marked.map((row) => row.offered_per_s)} size="" /></div>`;
  })}</div>
    ${marked.map((row) => html`<p class="says">${name(row.run_id)}: <b>${row.mark}</b> ${figure(row.offered_per_s, "1/s")}, of which good ${figure(row.good_per_s, "1/s")} (${number(row.good_per_s_low)} to ${number(row.good_per_s_high)}).</p>`)}` : html`<${Empty} body=${body} definition=${definition} />`;
}

/** Share of requests by time. */
function spread(body, definition) {
  const rows = named(body);
  const lines = ["ttft_s", "ok_ttft_s", "e2e_s", "ok_e2e_s"].map((key, place) => ({
    name: spoken(key), isDashed: key.startsWith("ok_"), tone: place >> 1, points: rows.filter((row) => row[key] > 0).map((row) => [row[key], row.share]),
  })).filter((one) => one.points.length);
  return lines.length ? html`<${Xy} lines=${lines} x="s" y="ratio" isLog=${true} label=${definition.title} />` : html`<${Empty} body=${body} definition=${definition} />`;
}

/** How far to the wall, and what it is. */
function roofline(body, definition) {
  const one = named(body)[0];
  if (!one) return html`<${Empty} body=${body} definition=${definition} />`;
  if (one.missing) return html`<p class="sentence">Not known: ${name(one.missing)}.</p>`;
  const measured = (one.measured ?? "").split(", ");
  return html`<p class="sentence">${share(one.reached_ratio)} of what is achievable; the wall is <b>${name(one.wall ?? "").replaceAll("_", " ")}</b>.</p>
    <div class="track" role="img" aria-label=${`${share(one.reached_ratio)} of achievable`}><i style=${{ "--tone": "var(--a)", width: `${100 * Math.min(1, one.reached_ratio ?? 0)}%` }}></i></div>
    <p class="says">${figure(one.out_tokens_per_s, "tok/s")} of ${figure(one.achievable_tokens_per_s, "tok/s")}; ${["mbu", "mfu"].map((key) => `${key.toUpperCase()} ${share(one[key])} ${measured.includes(key) ? "measured" : "assumed"}`).join(", ")}.</p>
    <p class="says">${name(one.remedy ?? "")}</p>`;
}

function compared(body, definition) {
  const rows = named(body);
  if (!rows.length) return html`<${Empty} body=${body} definition=${definition} />`;
  const said = (/** @type {Record<string, any>} */ row, /** @type {string} */ side) => row[side] === null && row[`n_${side}`] && row.unit === "s" ? "fails" : figure(row[side], row.unit);
  return html`${rows[0].flags && html`<p class="notice">${name(rows[0].flags)}</p>`}
    <${Table} label=${definition.title} heads=${[["metric"], [`a: ${name(rows[0].run_a ?? "none")}`, true], [`b: ${name(rows[0].run_b)}`, true], ["b of a", true], ["95 % interval", true], ["effect", true], ["p", true], [""]]} rows=${rows.map((row) => [
      row.metric, said(row, "a"), said(row, "b"), share(row.ratio), row.ratio_low === null ? "" : `${share(row.ratio_low)} to ${row.ratio_high === null ? "?" : share(row.ratio_high)}`,
      row.effect === null ? "" : number(row.effect), row.p === null ? "" : row.p < 1e-4 ? "< 0.0001" : number(row.p), row.verdict && html`<span class=${`state ${VERDICTS[/** @type {keyof typeof VERDICTS} */ (row.verdict)] ?? ""}`}>${row.verdict}</span>`,
    ])} />`;
}

/** @param {{of: string}} props */
export function OneRun({ of }) {
  const mine = own({ run: of });
  return html`<div class="head"><h1>Run ${name(of)}</h1><span class="grow"></span>
      <a href=${href(["compare"], { b: of })}>Compare it</a> <a href=${href(["requests"], { run: of, traffic: "loadtest", from: "now-30d" })}>Its requests</a> <a href=${href(["loadtests"])}>All runs</a></div>
    <div class="grid"><${Runs} own=${mine} title="This run" /><${Panel} id="lt.knee" own=${mine} wide="wide" draw=${knee} />
      <${Panel} id="lt.latency" own=${mine} draw=${spread} /><${Panel} id="lt.roofline" own=${mine} draw=${roofline} /><${Panel} id="lt.fit" own=${mine} wide="wide" />
      <${Panel} id="lt.compare" own=${mine} wide="wide" title="Against the run before" draw=${compared} /></div>`;
}

export function Compare() {
  const [a, b] = [asked("a"), asked("b")];
  const both = own({ run: [a, b].filter(Boolean) });
  return html`<div class="head"><h1>Compare two runs</h1><span class="soft">Without names it is the newest run, and the one before it of the same target, mix and rate.</span></div>
    <div class="grid">
      <form class="form card wide" onSubmit=${(/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
        change({ a: String(form.get("a")), b: String(form.get("b")) });
      }}><div class="row"><label>Run a <input name="a" value=${a} maxlength="120" /></label><label>Run b <input name="b" value=${b} required maxlength="120" /></label><button class="main">Compare</button><a href=${href(["loadtests"])}>All runs</a></div></form>
      <${Panel} id="lt.compare" own=${both} wide="wide" draw=${compared} />
      ${a && b && html`<${Runs} own=${both} title="Both runs" />${[a, b].map((run) => html`<${Panel} key=${run} id="lt.latency" own=${own({ run })} draw=${spread} title=${`Latency of ${name(run)}`} />`)}`}
    </div>`;
}
