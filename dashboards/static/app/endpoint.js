// @ts-check
// Knows the pages of endpoints: which there are, and of one whether engine, queue, network or clients are the trouble.

import { html } from "./dom.js";
import { endpointLink, useLimit } from "./fleet.js";
import { figure } from "./format.js";
import { named, points } from "./loadtests.js";
import { Panel } from "./panel.js";
import { said } from "./series.js";
import { name } from "./text.js";
import { go, href } from "./url.js";
import { Xy } from "./xy.js";

/** In the order in which one asks; the first that are there are shown. */
const OF_ONE = [
  "ep.ttft", "ep.load_point", "ep.gave_up", "ep.phases", "ep.outcomes", "ep.outcome_phases", "ep.tpot", "ep.stall", "ep.queue", "ep.kv",
  "ep.e2e", "ep.tokens", "ep.cache", "ep.workload", "ep.vantage", "ep.gpu",
];

export function Endpoints() {
  return html`<div class="head"><h1>Endpoints</h1><span class="soft">Least budget left first. Open one to see what is wrong with it.</span></div>
    <div class="grid">
      <${Panel} id="fleet.endpoints" wide="wide" link=${endpointLink} />
      <${Panel} id="fleet.ttft" limit=${useLimit()} /><${Panel} id="fleet.saturation" />
    </div>`;
}

/** @param {{of: string}} props */
export function Endpoint({ of }) {
  const limit = useLimit(of);
  return html`<div class="head"><h1>${name(of)}</h1><span class="soft">Engine, queue, network or clients?</span>
      <span class="grow"></span><a href=${href(["requests"], { endpoint: of })}>Its requests</a> <a href=${href(["hints", of])}>Its hint</a></div>
    <div class="grid">
      <${Panel} id="ep.stats" wide="wide" />
      ${OF_ONE.map((id) => html`<${Panel} key=${id} id=${id} limit=${id === "ep.ttft" ? limit : null} draw=${id === "ep.load_point" ? loadPoint : null} />`)}
      <${Panel} id="ep.heat" wide="wide" onBox=${(/** @type {any} */ box) => openBox(of, box)} />
      <${Panel} id="ep.replicas" wide="wide" />
    </div>`;
}

/** The endpoint on the curve of its load test. */
function loadPoint(body, definition) {
  const rows = named(body);
  const now = rows.find((row) => row.point === "now");
  const lines = [{ name: "tested", points: points(rows.filter((row) => row !== now), "rate_per_s", "tested_p95") }, { name: "now", points: points(now ? [now] : [], "rate_per_s", "p95"), isAlone: true }];
  const off = ["prompt", "output"].filter((key) => Math.abs((now?.[`${key}_ratio`] ?? 1) - 1) > 0.25);
  return html`<${Xy} lines=${lines.filter((one) => one.points.length)} x="1/s" y="s" label=${definition.title} />
    ${now && html`<p class="says">${now.rate_per_s === null ? "How many replicas share the load is unknown: nobody scraped the engine." : html`Now <b>${said(body, "p95", rows.indexOf(now), now.p95, "s").text}</b> at ${figure(now.rate_per_s, "1/s")} a replica; tested ${now.tested_p95 === null ? "nothing at that rate" : figure(now.tested_p95, "s")}.`}
      ${off.length > 0 && ` Not the tested mix: ${off.map((key) => `${key} tokens ${figure(now[`${key}_ratio`], "x")}`).join(", ")}.`}</p>`}`;
}

function openBox(endpoint, { from, to, low, high }) {
  go(href(["requests"], { endpoint, t0: String(from), t1: String(to), low: String(low), high: Number.isFinite(high) ? String(high) : null }));
}
