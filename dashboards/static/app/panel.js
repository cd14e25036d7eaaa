// @ts-check
// Knows one panel as people see it; every one carries data-panel and data-state. Source: spec/ui.md 4, 6.

import { address } from "./api.js";
import { against, whyNot } from "./compare.js";
import { html, useState } from "./dom.js";
import { Empty } from "./empty.js";
import { Bars, Refusals, Stats } from "./figures.js";
import { number, share, span, unitName } from "./format.js";
import { grid, Heat } from "./heat.js";
import { Lines } from "./lines.js";
import { lost } from "./live.js";
import { Menu, Sql } from "./menu.js";
import { age_s, definitions, isStale, refresh, useOther, usePanel } from "./panels.js";
import { columns, isTime, mark } from "./series.js";
import { PanelTable } from "./table.js";
import { name } from "./text.js";
import { tick } from "./time.js";
import { asked, change, range } from "./url.js";

/**
 * @typedef {import("./series.js").Body} Body
 * @typedef {import("./series.js").Definition} Definition
 * @typedef {{id: string, own?: Record<string, string>, wide?: string, isTall?: boolean, limit?: number | null, title?: string,
 *   marks?: {at: number, text: string}[], link?: (row: any[], column: string) => string | null, struck?: (row: any[]) => boolean,
 *   only?: (body: Body) => Body, onBox?: (box: {from: number, to: number, low: number, high: number}) => void,
 *   draw?: (body: Body, definition: Definition) => any}} PanelProps
 */

/** States in which there are no numbers to draw. */
const EMPTY = new Set(["no_traffic", "blind", "down", "down_or_blind", "locked", "refused", "error"]);
const SKELETON_S = 0.2;
/** Kinds whose numbers have one unit. */
const DRAWN = new Set(["line", "stacked", "bar", "heatmap"]);

/** @param {PanelProps} props */
export function Panel(props) {
  const definition = definitions.value?.get(props.id);
  return definition ? html`<${Known} ...${props} definition=${definition} />` : null;
}

function Known(props) {
  const { id, definition } = props;
  const slot = usePanel(id, props.own);
  const other = useOther(definition, props.own);
  const answer = slot.answer.value;
  const now = Math.max(tick.value, answer.at_s);
  const lost_s = lost.value === null ? null : now - lost.value;
  const body = answer.body && props.only ? props.only(answer.body) : answer.body;
  const stale = isStale(answer, now, lost_s);
  const state = !body ? (answer.problem ? "error" : "loading") : stale ? "stale" : body.state;
  const views = asked("panel").split(",").includes(id) ? asked("view") : "";
  const title = props.title ?? definition.title;
  const empty = body && EMPTY.has(body.state) && !hasValues(body, definition);
  return html`<figure class=${`panel ${props.wide ?? ""}`} data-panel=${id} data-state=${state} aria-label=${title} aria-busy=${state === "loading"}>
    <header>
      <div>
        <h3>${title}${DRAWN.has(definition.kind) && unitName(definition.unit) && html` <span class="unit">${unitName(definition.unit)}</span>`}</h3>
        <p class="ask">${definition.question}</p>
      </div>
      <div class="chips">
        ${chips(state, body, definition, answer, now)}
        <${Source} body=${body} age=${age_s(answer, now)} />
      </div>
      <${Menu} id=${id} definition=${definition} body=${body} params=${slot.params} view=${views} />
    </header>
    ${answer.problem && !body && html`<${Failed} problem=${answer.problem} retry=${() => refresh(slot)} />`}
    ${!body && !answer.problem && (now - answer.asked_s > SKELETON_S ? html`<div class="skeleton"></div>` : html`<div class="stage"></div>`)}
    ${views === "sql" && body && html`<${Sql} body=${body} />`}
    ${body && (empty && views !== "table"
      ? html`<${Empty} body=${body} definition=${definition} />`
      : html`<div class=${stale ? "is-old" : ""}>${views === "table"
          ? html`<${PanelTable} body=${body} definition=${definition} link=${props.link} struck=${props.struck} />`
          : html`<${Drawn} ...${props} body=${body} other=${other} />`}</div>`)}
    ${body && !empty && html`<${Refusals} body=${body} />`}
    <figcaption class="act"><span title=${definition.meaning}>${definition.meaning}</span> <b>→ ${definition.action}</b></figcaption>
  </figure>`;
}

function hasValues(body, definition) {
  if (body.state === "error") return false;
  const all = columns(body, definition);
  return body.rows.some((row) => all.some((one, at) => (one.role ?? "value") === "value" && !isTime(one) && ![null, 0, ""].includes(row[at])));
}

function chips(state, body, definition, answer, now) {
  const asOther = against();
  const alone = asOther && whyNot(asOther, definition.kind, definition.filters);
  const age = age_s(answer, now);
  const silent = body?.provenance?.silent ?? [];
  const coverage = body?.provenance?.coverage;
  return html`
    ${state === "stale" && html`<span class="chip warn">${age === null ? "no answer" : `${span(age)} old`}</span>`}
    ${body && answer.problem && html`<span class="chip warn" title=${answer.problem.message}>last try failed</span>`}
    ${typeof coverage === "number" && coverage < 1 && html`<span class="chip warn" title=${silent.map(name).join(", ")}>${share(coverage)} of collectors, silent: ${silent.slice(0, 2).map(name).join(", ")}</span>`}
    ${body?.provenance?.ignored?.map((one) => one.replace(/^workload_|_id$/g, "")).map((one) => html`<span class="chip">${definition.filters.includes(one) ? `partly unknown by ${one}` : `of every ${one}`}</span>`)}
    ${alone && html`<span class="chip">${alone}</span>`}
  `;
}

/** Where the numbers come from; all of it on hover or click. */
function Source({ body, age }) {
  const [isOpen, setOpen] = useState(false);
  if (!body?.provenance || body.state === "error") return null;
  const told = body.provenance;
  const n = requests(body);
  const facts = [
    [mark(told), told.method],
    n === null ? null : ["n", `${number(n)} requests`],
    ["source", told.ttft_source ?? "counts"],
    ["traffic", told.traffic],
    ["population", told.population],
    ["table", told.table || "the engine itself"],
    typeof told.coverage === "number" ? ["coverage", `based on ${share(told.coverage)} of collectors`] : null,
    age === null ? null : ["age", span(age)],
    body.step_s ? ["step", span(body.step_s)] : null,
    ...Object.entries(told.excluded ?? {}).filter(([, count]) => count).map(([kind, count]) => [`without ${kind}`, number(count)]),
  ].filter((one) => one !== null);
  const text = facts.map((one) => one?.join(" ")).join(" · ");
  return html`<button class="chip mark" title=${text} aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
    ${isOpen ? text : `${mark(told)}${n === null ? "" : ` n ${number(n)}`}${told.ttft_source ? ` · ${told.ttft_source}` : ""}`}
  </button>`;
}

function requests(body) {
  return (body.n ?? []).reduce((/** @type {number} */ sum, one) => sum + (one ?? 0), 0) || null;
}

function Drawn(props) {
  const { body, definition, draw, other } = props;
  if (draw) return draw(body, definition);
  const hasTime = columns(body, definition).some(isTime);
  if (definition.kind === "heatmap" && body.rows.length) {
    return html`<${Heat} map=${grid(body, definition)} unit=${definition.unit} label=${definition.title} onBox=${props.onBox ?? zoomed} />`;
  }
  if (definition.kind === "stat") return html`<${Stats} body=${body} definition=${definition} other=${other} />`;
  if (definition.kind === "bar" && !hasTime) return html`<${Bars} body=${body} definition=${definition} link=${props.link} other=${other} />`;
  if (["line", "stacked", "bar"].includes(definition.kind) && hasTime) return html`<${Lines} ...${props} />`;
  if (!body.rows.length) return html`<${Empty} body=${body} definition=${definition} />`;
  return html`<${PanelTable} body=${body} definition=${definition} link=${props.link} struck=${props.struck} />`;
}

function zoomed({ from, to }) {
  change({ from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString() });
}

/** @param {{problem: import("./api.js").Problem, retry: () => void}} props */
export function Failed({ problem, retry }) {
  return html`<div class="empty"><strong>${problem.title}</strong><span>${problem.message}</span>${problem.request && html`<code>${name(problem.request)}</code>`}<div><button onClick=${retry}>Retry</button></div></div>`;
}

/** @param {string} id @param {Record<string, string>} params @param {string} form */
export function twin(id, params, form) {
  const { from, to } = range();
  return address(`v1/panels/${id}.${form}`, { from, to, ...params }).href;
}
