// @ts-check
// Knows the first page: three numbers, who is worst, and at most eight charts.

import { useAsk } from "./ask.js";
import { html } from "./dom.js";
import { figure, share, span } from "./format.js";
import { named } from "./loadtests.js";
import { Panel } from "./panel.js";
import { definitions, usePanel } from "./panels.js";
import { mark } from "./series.js";
import { firing } from "./shell.js";
import { name } from "./text.js";
import { href } from "./url.js";

/** Beside the numbers and the endpoints, in the order of the page. */
const CHARTS = ["fleet.ttft", "fleet.gave_up", "fleet.bad", "fleet.demand", "fleet.saturation", "fleet.gpu"];

/** Endpoints that have a row of their own. */
const OWN_ROWS = 50;

export function Fleet() {
  const limit = useLimit();
  return html`
    <h1 class="hidden">Fleet</h1>
    <${Numbers} />
    <div class="grid">
      <${Panel} id="fleet.endpoints" wide="wide" link=${endpointLink} only=${folded} />
      ${CHARTS.map((id) => html`<${Panel} key=${id} id=${id} limit=${id === "fleet.ttft" ? limit : null} />`)}
    </div>
  `;
}

/** @param {any[]} row @param {string} column */
export function endpointLink(row, column) {
  if (column !== "endpoint" || !row[0]) return null;
  return FOLDED.has(row) ? href(["endpoints"]) : href(["endpoints", String(row[0])], { endpoint: null });
}

const FOLDED = new WeakSet();
/** @param {number[][]} all */
const sum = (all) => all.reduce((total, [value]) => total + value, 0);
/** How numbers of several endpoints, each with its requests, become one; of other columns there is none. @type {Record<string, (all: number[][]) => number>} */
const FOLDS = {
  in_per_s: sum, out_tokens_per_s: sum, waiting: sum, kv_max: (all) => Math.max(...all.map(([one]) => one)), budget_left: (all) => Math.min(...all.map(([one]) => one)),
  bad_ratio: (all) => sum(all.map(([one, n]) => [one * n])) / sum(all.map(([, n]) => [n])),
};

/** Endpoints behind those with a row of their own, in one row. */
function folded(body) {
  const rest = body.rows.slice(OWN_ROWS);
  if (!rest.length) return body;
  const n = body.n.slice(OWN_ROWS).map((one) => one ?? 0);
  const row = body.columns.map((one, at) => {
    const known = rest.flatMap((of, place) => (of[at] === null ? [] : [[of[at], n[place]]]));
    return at === 0 ? `${rest.length} other` : one.type === "numbers" ? [] : known.length ? (FOLDS[one.name]?.(known) ?? null) : null;
  });
  FOLDED.add(row);
  const told = /** @type {const} */ (["refused", "uncertain", "inf"]).map((key) => [key, body.provenance[key]?.map((one) => ({ ...one, rows: one.rows.filter((at) => at < OWN_ROWS) }))]);
  return { ...body, rows: [...body.rows.slice(0, OWN_ROWS), row], n: [...body.n.slice(0, OWN_ROWS), sum(n.map((one) => [one]))], provenance: { ...body.provenance, ...Object.fromEntries(told) } };
}

/** The least time to the first token that is promised, of all or of one endpoint; null if none is. @param {string} [endpoint] @returns {number | null} */
export function useLimit(endpoint) {
  const found = (useAsk("v1/slos", {}, 60).told?.slos ?? []).filter((/** @type {any} */ one) => !endpoint || (one.group.endpoint ?? endpoint) === endpoint);
  const limits = found.map((/** @type {any} */ one) => Number(/\bttft_s <=? ([\d.]+)/.exec(one.definition.good ?? "")?.[1] ?? Infinity));
  const least = Math.min(...limits);
  return Number.isFinite(least) ? least : null;
}

/** Three numbers over all objectives, each the way to what is behind it. */
function Numbers() {
  return definitions.value?.has("fleet.numbers") ? html`<${Three} />` : null;
}

function Three() {
  const slot = usePanel("fleet.numbers");
  const { body } = slot.answer.value;
  const row = (body && named(body)[0]) ?? {};
  const { good_ratio: good = null, objective = null, budget_left: left = null, budget_left_time: time = null, burn_1h: burn = null, slo: worst = null } = row;
  const [pages, tickets] = ["page", "ticket"].map((key) => row[`${key}s`] ?? firing.value.filter((one) => one.severity === key).length);
  const n = body?.n?.[0];
  const sign = html`<span class="mark">${mark(body?.provenance)}</span>`;
  const state = !body ? (slot.answer.value.problem ? "error" : "loading") : body.state;
  return html`<section class="numbers" aria-label="Three numbers" data-panel="fleet.numbers" data-state=${state}>
    <a class=${`tile ${good === null ? "" : objective !== null && good < objective ? "bad" : "ok"}`} href=${href(["slos"])}>
      <p class="label">Good requests now</p>
      <p class="big" data-value=${good}>${share(good, objective)} ${good !== null && sign}</p>
      <p class="under">${good === null ? "no objective counts anything yet" : html`${objective === null ? "" : `objective ${share(objective)} · `}${n ? `n ${figure(n, "requests")}` : ""}`}</p>
    </a>
    <a class=${`tile ${left === null ? "" : left <= 0 ? "bad" : left < 0.25 ? "warn" : "ok"}`} href=${worst ? href(["slos", worst]) : href(["slos"])}>
      <p class="label">Least budget left</p>
      <p class="big" data-value=${left}>${left !== null && left <= 0 ? "spent" : share(left)} ${left !== null && sign}</p>
      <p class="under">${worst ? `${name(worst)} · ` : ""}${left === null ? "nothing is promised yet" : left <= 0 ? `${share(-left)} beyond the budget` : time === null || (burn ?? 1) <= 0 ? "not burning" : `${span(time)} at this burn`}</p>
    </a>
    <a class=${`tile ${pages ? "bad" : tickets ? "warn" : "ok"}`} href=${href(["alerts"])}>
      <p class="label">Firing</p>
      <p class="big">${pages} <span class="soft small">${pages === 1 ? "page" : "pages"}</span> ${tickets} <span class="soft small">${tickets === 1 ? "ticket" : "tickets"}</span></p>
      <p class="under">${firing.value[0] ? name(firing.value[0].alertname) : "nothing fires"}</p>
    </a>
  </section>`;
}
