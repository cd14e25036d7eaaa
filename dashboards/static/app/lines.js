// @ts-check
// Knows a panel's lines over time: numbers, chart, sentence, and what they are compared with.

import { Chart, reading } from "./chart.js";
import { newest } from "./compare.js";
import { html, useEffect, useState } from "./dom.js";
import { Value } from "./figures.js";
import { number, span } from "./format.js";
import { classesOf, last, lines, placed, ratio, sentence } from "./series.js";
import { clock, moment } from "./time.js";
import { asked, change, go, href, iso } from "./url.js";

/**
 * @typedef {import("./series.js").Body} Body
 * @typedef {import("./series.js").Definition} Definition
 * @typedef {import("./series.js").Series} Series
 */

/** Tables of what is looked at now and then. */
const SAMPLED = new Set(["engine_metrics", "gpu_samples", "heartbeats", "hints"]);

/** Most times that are told in words, the last ones. */
const SHOWN_MAX = 3;

/**
 * @param {{body: Body, definition: Definition, other: import("./compare.js").Other | null, own?: Record<string, string>, isTall?: boolean,
 *   limit?: number | null, marks?: {at: number, text: string}[]}} props
 */
export function Lines({ body, definition, other, own, isTall, limit, marks }) {
  const [cursor, setCursor] = useState(/** @type {number | null} */ (null));
  const { times, series: all, left } = lines(body, definition);
  const isSeen = asked("first") === "visible";
  const hasVisible = all.some(isVisible) && !all.every(isVisible);
  const chosen = placed(hasVisible ? all.filter((one) => isVisible(one) === isSeen) : all);
  const series = other?.body ? compared(chosen, other.body, definition, times, other.back_s) : chosen;
  const units = [...new Set(series.map((one) => one.unit))];
  const parts = units.length > 2 ? units.map((unit) => series.filter((one) => one.unit === unit)) : [series];
  const [from_s, to_s] = [Date.parse(body.from) / 1000, Date.parse(body.to) / 1000];
  const at = cursor !== null && cursor < times.length ? cursor : -1;
  const isStacked = definition.kind === "stacked";
  const shown = at < 0 ? Math.max(...series.map((one) => last(one.values)), 0) : at;
  const n = body.n?.[series[0]?.at.get(shown) ?? -1];
  const way = (/** @type {Series} */ one, /** @type {number} */ slot) => one.group && one.group !== "good" && requestsOf(one, own, slot < 0 ? [from_s, to_s] : [times[slot], times[slot] + (body.step_s ?? 1)]);
  const agreed = body.adjusted ?? [];
  useEffect(() => setCursor(null), [body.from]);
  return html`
    <ul class="legend">${series.map((one) => html`<${Value} one=${one} at=${at} body=${body} isBox=${isStacked} way=${way(one, at)} />`)}
      ${left > 0 && html`<li class="name">and ${left} smaller ones: see the table</li>`}
      <li class="at">${times.length ? `${at < 0 ? "last " : ""}${clock(times[shown] ?? times[0])}${typeof n === "number" ? ` · n ${number(n)}` : ""}` : ""}</li>
    </ul>
    ${hasVisible && html`<div><button aria-pressed=${isSeen} onClick=${() => change({ first: isSeen ? null : "visible" })}>First visible token</button></div>`}
    ${parts.map((part) => html`<${Chart} key=${part[0]?.unit} times=${times} series=${part} unit=${parts.length > 1 ? part[0].unit : definition.unit} isStacked=${isStacked} label=${definition.title} from_s=${from_s} to_s=${to_s}
      limit=${limit} blind=${body.blind} adjusted=${agreed} marks=${marks} size=${parts.length > 1 ? "short" : isTall ? "tall" : ""} onCursor=${setCursor} onBand=${(/** @type {Series} */ one, /** @type {number} */ slot) => one.group && go(way(one, slot))} isSampled=${SAMPLED.has(body.provenance?.table ?? "")}
      reading=${reading(series, times, shown)} onRange=${(/** @type {number} */ from_s, /** @type {number} */ to_s, /** @type {boolean} */ isBeside) => change(isBeside ? newest(from_s, to_s) : { from: iso(from_s), to: iso(to_s) })} />`)}
    ${agreed.length > 0 && html`<p class="says">Striped: counts less, as agreed. ${agreed.slice(-SHOWN_MAX).map((one) => `${moment(one.start)} to ${moment(one.end)}, ${one.percent} % less`).join("; ")}${agreed.length > SHOWN_MAX ? `; ${agreed.length - SHOWN_MAX} before` : ""}.</p>`}
    <p class="says hidden">${sentence(definition, series, span(Math.max(0, to_s - from_s)))}</p>
    ${other && html`<p class="says">${!other.body ? other.problem && `Against ${other.name}: ${other.problem.message}.`
      : `Against ${other.name}, dotted: ${ratios(series) || "too few common steps"}. Median ratio of steps and its middle half.`}</p>`}
  `;
}

function requestsOf(one, own, [t0, t1] = []) {
  return href(["requests"], { ...own, t0: String(t0), t1: String(t1), outcome: classesOf(one.key).join() });
}

function isVisible(one) {
  return one.column.startsWith("visible_");
}

function compared(series, body, definition, times, back_s) {
  const then = lines(body, definition);
  const place = new Map(then.times.map((t, at) => [t, at]));
  const grain = body.step_s ?? 1;
  return series.map((one) => {
    const other = then.series.find((two) => two.name === one.name);
    return { ...one, before: times.map((t) => other?.values[place.get(Math.round((t - back_s) / grain) * grain) ?? -1] ?? null) };
  });
}

function ratios(series) {
  return series.flatMap((one) => {
    const found = ratio(one.values, one.before ?? []);
    return found ? [`${one.name} ×${found.middle.toFixed(2)} (${found.low.toFixed(2)} to ${found.high.toFixed(2)}, ${found.n} steps)`] : [];
  }).join("; ");
}
