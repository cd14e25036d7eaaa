// @ts-check
// Knows the page of requests: a map, and the rows of a box of it.

import { Part, useAsk } from "./ask.js";
import { html, useMemo, useState } from "./dom.js";
import { duration, number, spoken } from "./format.js";
import { Panel } from "./panel.js";
import { common, definitions } from "./panels.js";
import { PanelTable } from "./table.js";
import { moment } from "./time.js";
import { asked, change, filters, href, iso } from "./url.js";

/** Rows of a box at a time. */
const LIMIT = 200;

/** @typedef {{t0: number, t1: number, low: number | null, high: number | null, outcome: string[]}} Box */

export function Requests() {
  const box = boxAsked();
  return html`<div class="head"><h1>Requests</h1><span class="soft">Which requests exactly? Drag a box over the map.</span></div>
    <div class="grid">
      <${Panel} id="req.heat" wide="wide" isTall=${true} onBox=${open} />
      ${box && html`<p class="wide">Requests of ${box.outcome.length ? `outcome ${box.outcome.map(spoken).join(", ")}` : "any outcome"} that ended ${moment(box.t0)} to ${moment(box.t1)}${box.low === null ? "" : `, first token after ${duration(box.low)} to ${box.high === null ? "∞" : duration(box.high)}`}
        ${" "}<button onClick=${() => change({ t0: null, t1: null, low: null, high: null, outcome: null })}>Show all</button></p>`}
      <${Search} />
      ${box ? html`<${Boxed} key=${JSON.stringify([box, filters()])} box=${box} />` : html`<${Panel} id="req.rows" wide="wide" link=${rowLink} only=${found} /><${Panel} id="req.facets" wide="wide" />`}
    </div>`;
}

function open({ from, to, low, high }) {
  change({ t0: String(from), t1: String(to), low: String(low), high: Number.isFinite(high) ? String(high) : null, outcome: null });
}

/** @returns {Box | null} */
function boxAsked() {
  const [t0, t1] = [Number(asked("t0")), Number(asked("t1"))];
  if (!t0 || !(t1 > t0)) return null;
  const bound = (/** @type {string} */ key) => (asked(key) ? Number(asked(key)) : null);
  return { t0, t1, low: bound("low"), high: bound("high"), outcome: asked("outcome").split(",").filter(Boolean) };
}

function Search() {
  return html`<p class="wide controls-inline"><label>Find <input data-search type="search" maxlength="120" value=${asked("find")} placeholder="model, outcome, replica, trace"
    onInput=${(event) => change({ find: event.target.value }, true)} /></label></p>`;
}

/** What the store has in a box, page by page. */
function Boxed({ box }) {
  const [after, setAfter] = useState("");
  const inside = { ...common({ from: iso(box.t0), to: iso(box.t1) }), ...(box.low === null ? {} : { low_s: String(box.low) }), ...(box.high === null ? {} : { high_s: String(box.high) }) };
  const rows = useAsk("v1/requests", { ...inside, outcome: box.outcome, limit: String(LIMIT), after }, 3600);
  const facets = useAsk("v1/requests/facets", inside, 3600);
  const next = rows.told?.after;
  return html`<${Told} id="req.rows" asked=${rows} of="requests">
      ${(next || after) && html`<p class="says">${after ? "Older ones" : `The newest ${number(LIMIT)}`} of the box
        ${after && html` <button onClick=${() => setAfter("")}>Newest</button>`}
        ${next && html` <button onClick=${() => setAfter(next)}>Older</button>`}</p>`}
    <//><${Told} id="req.facets" asked=${facets} of="facets" />`;
}

function Told({ id, asked: answer, of, children }) {
  const definition = definitions.value?.get(id);
  const { told } = answer;
  const body = useMemo(() => told && definition && bodyOf(told[of], definition), [told, definition]);
  const shown = body && id === "req.rows" ? found(body) : body;
  return html`<${Part} id=${id} title=${definition?.title ?? ""} wide="wide" asked=${answer} isEmpty=${!body?.rows.length} why=${html`<strong>No such request in the box</strong>`}>
    ${shown && html`<${PanelTable} body=${shown} definition=${definition} link=${rowLink} />`}${children}<//>`;
}

function bodyOf(list, definition) {
  const { columns } = definition;
  return /** @type {any} */ ({ columns, rows: list.map((one) => columns.map(({ name }) => one[name] ?? null)), n: list.map((one) => one.n ?? null), provenance: {} });
}

/** Rows of what is searched for. */
function found(body) {
  const words = asked("find").toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return body;
  const keep = body.rows.map((row) => {
    const text = row.filter((cell) => typeof cell === "string").join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return { ...body, rows: body.rows.filter((_, place) => keep[place]), n: body.n.filter((_, place) => keep[place]) };
}

function rowLink(row, column) {
  return ["t", "id"].includes(column) ? href(["requests", row[1]], { t0: asked("t0"), t1: asked("t1") }) : null;
}
