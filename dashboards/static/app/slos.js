// @ts-check
// Knows the pages of objectives: worst first, and of one how long until the promise breaks and which rules see it.

import { ask } from "./api.js";
import { Part, useAsk } from "./ask.js";
import { html, useState } from "./dom.js";
import { copy } from "./empty.js";
import { duration, figure, lasting, number, share, span, spoken, UNKNOWN } from "./format.js";
import { Panel } from "./panel.js";
import { groupOf, GROUPS } from "./series.js";
import { Table } from "./table.js";
import { name } from "./text.js";
import { moment, parsed } from "./time.js";
import { asked, here, href } from "./url.js";

/** What stands out, as in dashboards/asks_slo.py. */
const [LIFT_MIN, BAD_MIN] = [1.2, 3];
/** Dimensions by which requests can be filtered. */
const FILTERS = ["endpoint", "model", "region", "class", "variant", "replica", "tenant"];
const BAD = new Set(["exhausted", "invalid", "down"]);
const WARN = new Set(["burning", "blind", "down_or_blind", "partial"]);

function State({ state }) {
  return html`<span class=${`state ${BAD.has(state) ? "bad" : WARN.has(state) ? "warn" : state === "ok" ? "ok" : ""}`}>${name(state).replaceAll("_", " ")}</span>`;
}

function Left({ left }) {
  if (left === null) return html`<span class="soft">${UNKNOWN}</span>`;
  const tone = left <= 0 ? "bad" : left < 0.25 ? "warn" : "ok";
  return html`<span class="meter" role="img" aria-label=${share(left)}><i style=${{ width: `${Math.max(0, Math.min(1, left)) * 100}%`, "--tone": `var(--${tone})` }}></i></span>`;
}

function address(one) {
  return href(["slos", one.name], { group: Object.keys(one.group).length ? JSON.stringify(one.group) : null });
}

export function Slos() {
  const found = useAsk("v1/slos");
  const told = found.told;
  const rows = (told?.slos ?? []).map((/** @type {any} */ one) => [
    html`<a href=${address(one)}>${name(one.name)}</a>${groupWords(one.group)}`,
    html`<${State} state=${one.state} />`,
    share(one.target), html`<span>${share(one.sli, one.target)}</span>`, number(one.n),
    html`<${Left} left=${one.remaining} />`, one.remaining === null ? UNKNOWN : share(one.remaining),
    timeWords(one), one.burn["1h"] === undefined ? UNKNOWN : `${number(one.burn["1h"])}×`,
  ]);
  return html`<div class="head"><h1>Objectives</h1><span class="soft">How long until a promise breaks? Worst first${told?.as_of ? `, as of ${moment(parsed(told.as_of) ?? 0)}` : ""}.</span></div>
    ${(told?.problems ?? []).map((/** @type {string} */ one) => html`<p class="notice">${name(one)}</p>`)}
    ${told?.blind_cause && html`<p class="notice">Nobody looks: ${name(told.blind_cause)}. Budgets are as of the last time that was seen.</p>`}
    <div class="grid">
      <${Part} id="slos" title="Promises" wide="wide" asked=${found} isEmpty=${told && !told.slos.length}
        why=${html`<strong>Nothing is promised yet</strong><span>Name the files of objectives in the configuration: <code>slo.objectives</code>. Built-in rules speak all the same, under Alerts.</span>`}>
        <${Table} label="Objectives" heads=${[["objective"], ["state"], ["target", true], ["good", true], ["n", true], ["budget left"], ["", true], ["lasts"], ["burn 1 h", true]]} rows=${rows} />
      <//>
      ${(told?.composites ?? []).length > 0 && html`<${Part} id="slos.composites" title="Made of several" wide="wide" asked=${found}>
        <${Table} label="Composites" heads=${[["objective"], ["target", true], ["good", true], ["budget left", true], ["parts"]]} rows=${told.composites.map((/** @type {any} */ one) => [
          html`${name(one.name)}${groupWords(one.group)}`, share(one.target), share(one.sli, one.target), share(one.remaining), one.parts.map((/** @type {any} */ part) => `${name(part.name)} ${share(part.sli, part.target)}`).join(", "),
        ])} /><//>`}
      <${Panel} id="slo.burn" /><${Panel} id="slo.mttr" own=${{}} />
    </div>`;
}

function groupWords(group) {
  const words = Object.entries(group).map(([key, value]) => `${key}=${name(value)}`).join(" ");
  return words && html` <span class="soft small">${words}</span>`;
}

function timeWords(one) {
  if (one.blind_cause) return `as of ${moment(parsed(one.as_of) ?? 0)}`;
  if (one.exhaustion) return one.exhaustion.minutes <= 0 ? "spent" : `${span(one.exhaustion.minutes * 60)} at this burn`;
  return lasting(one.remaining, one.window.length_s, one.burn["1h"] ?? null);
}

/** @param {{of: string}} props */
export function OneSlo({ of }) {
  const group = asked("group");
  const path = `v1/slos/${of.split("/").map(encodeURIComponent).join("/")}`;
  const whole = useAsk(path, { group });
  const rules = useAsk(`${path}/rules`, { group });
  const one = whole.told;
  const own = { slo: of, group };
  return html`<div class="head"><h1>${name(of)}</h1>${one && html`<${State} state=${one.state} />${groupWords(one.group)}`}
      <span class="grow"></span><a href=${href(["slos"])}>All objectives</a></div>
    ${(one?.groups ?? []).length > 1 && html`<p class="labels">${one.groups.slice(0, 50).map((/** @type {any} */ other) => html`<a href=${here({ group: JSON.stringify(other) })}>${groupWords(other)}</a>`)}</p>`}
    <div class="grid">
      <${Part} id="slo.facts" title="The promise" wide="wide" asked=${whole}>${one && html`<${Facts} one=${one} />`}<//>
      <${Panel} id="slo.budget" own=${own} wide="wide" limit=${0} marks=${one?.as_of ? [{ at: parsed(one.as_of), text: "now" }] : []} />
      <${Panel} id="slo.series" own=${{ ...own, from: "now-1d", to: "now", step: "300" }} limit=${one?.target} title="Good requests, a day" />
      <${Part} id="slo.outcomes" title="What was bad" asked=${whole} isEmpty=${one && !Object.keys(one.bad_by_outcome ?? {}).length} why=${html`<strong>No bad request in the period</strong>`}>
        ${one && html`<${Outcomes} one=${one} />`}<//>
      <${Part} id="slo.rules" title="Rules: what they can see, and why they are silent" wide="wide" asked=${rules} isEmpty=${rules.told && !rules.told.rules.length} why="This objective has no rule.">
        ${rules.told && html`<${Rules} rules=${rules.told.rules} />`}<//>
      <${Panel} id="slo.contributors" own=${own} wide="wide" draw=${concentrated} />
      ${one?.counts_of === "flows" && html`<${Panel} id="slo.stages" own=${own} wide="wide" />`}
      <${WhatIf} path=${path} one=${one} />
    </div>`;
}

/** Shares of the excess; what stands out leads to its requests. */
function concentrated(body) {
  return html`<${Table} label="Where bad requests are concentrated" heads=${[["where"], ["share of the excess"], ["", true], ["bad", true], ["of", true], ["usually", true], ["against all", true]]} rows=${body.rows.map(([dimension, value_, part, , bad, usual, lift], at) => {
    const text = `${dimension} ${name(value_)}`;
    const stands = lift >= LIFT_MIN && bad >= BAD_MIN;
    return [
      FILTERS.includes(dimension) ? html`<a href=${href(["requests"], { [dimension]: value_ })}>${text}</a>` : text,
      html`<span class="meter" role="img" aria-label=${share(part)}><i style=${{ width: `${100 * part}%`, "--tone": `var(--${stands ? "bad" : "a"})` }}></i></span>`,
      share(part), number(bad), number(body.n[at]), share(usual), stands ? html`<strong>${number(lift)}×</strong>` : `${number(lift)}×`,
    ];
  })} />`;
}

function Facts({ one }) {
  const facts = [
    ["good", `${share(one.sli, one.target)} = n ${number(one.n)}`], ["objective", share(one.target)],
    ["budget left", share(one.remaining)], ...(one.unadjusted ? [["left, with what was taken out", share(one.unadjusted.remaining)]] : []), ["lasts", timeWords(one)],
    ["period", one.window.kind === "rolling" ? span(one.window.length_s) : `calendar, ${one.window.count} ${one.window.unit}`],
    ...Object.entries(one.burn).map(([window, rate]) => [`burn ${window}`, `${number(/** @type {number} */ (rate))}×`]),
    ["bad", number(one.bad)], ["bad, end not seen", number(one.censored_bad)], ["counted", `${one.counts_of}, ${one.method}`],
    ["collectors heard", share(one.coverage)], ["nobody looked", one.blind_minutes === null ? UNKNOWN : span(one.blind_minutes * 60)],
  ];
  const { definition } = one;
  return html`<dl class="facts">${facts.map(([key, value]) => html`<div><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>
    <p class="says">${definition.description && html`${name(definition.description)} `}A request is good if <code>${definition.good ?? "its outcome is"}</code>${definition.only && html`, of those with <code>${definition.only}</code>`}${definition.eligible && html`, counted if <code>${definition.eligible}</code>`}.</p>
    ${one.actions.length > 0 && html`<p class="notice">The policy asks for: ${one.actions.join(", ")}</p>`}`;
}

function Outcomes({ one }) {
  const bad = Object.entries(one.bad_by_outcome ?? {}).sort((a, b) => Number(b[1]) - Number(a[1]));
  const most = Math.max(...bad.map(([, n]) => Number(n)), 1);
  const out = Object.entries(one.excluded ?? {}).map(([outcome, n]) => `${outcome} ${number(Number(n))}`);
  return html`<ul class="list">${bad.map(([outcome, n]) => html`<li><div class="legend"><span class=${`swatch box g-${badGroup(outcome)}`}></span><span>${outcome === "ok" ? "answered, not good enough" : spoken(outcome)}</span><span class="name">${GROUPS[badGroup(outcome)]}</span><b>${number(Number(n))}</b></div>
      <span class="meter" style=${{ width: `${(100 * Number(n)) / most}%` }}><i class=${`g-${badGroup(outcome)}`}></i></span></li>`)}</ul>
    ${out.length > 0 && html`<p class="says">Not counted: ${out.join(", ")}</p>`}`;
}

/** Answers that were bad all the same were too slow. */
function badGroup(outcome) {
  return outcome === "ok" ? "slow" : /** @type {keyof typeof GROUPS} */ (groupOf(outcome) ?? "fault");
}

function Rules({ rules }) {
  return html`<${Table} label="Rules" heads=${[["rule"], ["who"], ["when"], ["stands"], ["reach"], ["detects all bad in", true], ["half", true], ["a tenth", true], ["why"]]}
    rows=${rules.map((one) => [
      name(one.name), one.severity, one.conditions.join(" and "), html`<span class=${`state ${one.speaks ? "bad" : one.standing === "near" ? "warn" : "ok"}`}>${one.speaks ? "speaks" : (one.standing ?? "unknown")}</span>`,
      one.reach ? one.reach.can_fire : UNKNOWN, ...["1.0", "0.5", "0.1"].map((key) => detects(one.reach, key)), name(one.why),
    ])} />`;
}

function detects(reach, key) {
  if (!reach) return UNKNOWN;
  const found = Object.entries(reach.detect_s).find(([ratio]) => Number(ratio) === Number(key));
  return found ? (found[1] === null ? "never" : duration(/** @type {number} */ (found[1]))) : UNKNOWN;
}

function WhatIf({ path, one }) {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [said, setSaid] = useState("");
  if (!one) return null;
  const group = asked("group");
  const send = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    setSaid("computing…");
    try {
      const target = Number(form.get("target")) / 100;
      setFound(await ask(`${path}/whatif`, { group }, { method: "POST", body: { target, good: String(form.get("good") ?? "") } }));
      setSaid("");
    } catch (error) {
      setSaid(/** @type {Error} */ (error).message);
    }
  };
  const pairs = found ? Object.keys(found.as_is).filter((key) => typeof found.as_is[key] === "number") : [];
  const good = one.definition.good ?? "";
  const limit = Number(LIMIT.exec(good)?.[2] ?? 0);
  const slide = (/** @type {any} */ event) => (event.currentTarget.form.elements.good.value = good.replace(LIMIT, `$1${Number(Number(event.currentTarget.value).toPrecision(3))}`));
  return html`<section class="card wide" data-panel="slo.what_if" data-state="ok" aria-label="What if">
    <h2>What if the promise were another?</h2>
    <form class="form" onSubmit=${send}>
      <div class="row"><label>Objective, % <input name="target" type="number" min="0" max="99.9999" step="any" required defaultValue=${Number((100 * one.target).toFixed(6))} /></label>
      ${limit > 0 && html`<label>Its first limit, s <input type="range" min=${limit / 4} max=${limit * 4} step=${limit / 20} defaultValue=${limit} onInput=${slide} onChange=${(/** @type {any} */ event) => event.currentTarget.form.requestSubmit()} /></label>`}
      <label>A request is good if <input name="good" maxlength="2000" defaultValue=${good} placeholder="as it is" /></label></div>
      <div class="row"><button class="main">Compute over the last day</button> <span role="status">${said}</span></div>
    </form>
    ${found && html`<p class="says">What-if: nothing that is stored changes.</p><${Table} label="What if" heads=${[[""], ["as it is", true], ["what if", true]]} rows=${pairs.map((key) => [key.replaceAll("_", " "), value(found.as_is[key], key), value(found.what_if[key], key)])} />
      <pre tabindex="0">${difference(found)}</pre><div><button onClick=${() => copy(difference(found))}>Copy the difference</button></div>`}
  </section>`;
}

/** The lines of the objective's file that would change. */
function difference({ as_is: was, what_if: becomes }) {
  const lines = [["target", was.target, becomes.target], ["expr", was.good, becomes.good]].filter(([, before, after]) => before !== after);
  return lines.flatMap(([key, before, after]) => [`-${key}: ${JSON.stringify(before)}`, `+${key}: ${JSON.stringify(after)}`]).join("\n") || "nothing changes";
}

/** The first limit in seconds of a condition. */
const LIMIT = /(\b\w+_s\s*<=?\s*)(\d+(?:\.\d+)?)/;

function value(number_, key) {
  return figure(number_, /sli|target|remaining|ratio/.test(key) ? "ratio" : "");
}

