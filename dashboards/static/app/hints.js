// @ts-check
// Knows the pages of scaling hints: why this replica count, what the autoscaler will do, how far to trust it.
// Source: docs/hint.schema.json.

import { ask } from "./api.js";
import { Part, useAsk } from "./ask.js";
import { html, useState } from "./dom.js";
import { figure, number, share, span, UNKNOWN } from "./format.js";
import { Panel } from "./panel.js";
import { Table } from "./table.js";
import { name } from "./text.js";
import { ago, moment, now_s, parsed, tick } from "./time.js";
import { href, iso } from "./url.js";

const WHO = "inferometer.who";

export function Hints() {
  const found = useAsk("v1/hints", {}, 5);
  const hints = found.told?.hints ?? [];
  return html`<div class="head"><h1>Scaling hints</h1><span class="soft">Why this replica count, and what will the autoscaler do?</span></div>
    <div class="grid"><${Part} id="hints" title="Targets" wide="wide" asked=${found} isEmpty=${found.told && !hints.length}
      why=${html`<strong>No target is scaled yet</strong><span>Name what is scaled, and hints appear here: <code>hints</code> in the configuration. They need a capacity: run <code>inferometer load sweep</code> once.</span>`}>
      <${Table} label="Hints" heads=${[["target"], ["action"], ["ready", true], ["desired", true], ["confidence"], ["binding reason"], ["age"]]} rows=${hints.map(row)} /><//>
      <${Panel} id="hint.history" wide="wide" />
    </div>`;
}

function row(one) {
  const binding = one.reasons.find((/** @type {any} */ reason) => reason.binding);
  return [
    html`<a href=${href(["hints", one.target.name])}>${name(one.target.name)}</a> <span class="soft small">${name(one.target.namespace)}</span>`,
    html`<${Action} one=${one} />`, number(one.replicas.ready), number(one.replicas.desired), `${one.confidence.level} ${share(one.confidence.score)}`, binding ? name(binding.text) : "none", ago(parsed(one.issued_at)),
  ];
}

function isExpired(one) {
  tick.value;
  const [at, now] = [parsed(one.expires_at), now_s()];
  return at !== null && now !== null && now > at;
}

const TONES = { scale_up: "warn", activate: "warn", infeasible: "bad", no_data: "bad", frozen: "warn", scale_down: "ok", hold: "ok", to_zero: "ok" };

function Action({ one }) {
  if (isExpired(one)) return html`<span class="state bad">expired: do not act</span>`;
  return html`<span class=${`state ${TONES[/** @type {keyof typeof TONES} */ (one.action)] ?? ""}`}>${name(one.action).replaceAll("_", " ")}</span>`;
}

/** @param {{of: string}} props */
export function OneHint({ of }) {
  const path = `v1/hints/${encodeURIComponent(of)}`;
  const found = useAsk(path, {}, 5);
  const score = useAsk(`${path}/calibration`, {}, 60);
  const one = found.told;
  return html`<div class="head"><h1>${name(of)}</h1>${one && html`<${Action} one=${one} />`}<span class="grow"></span><a href=${href(["hints"])}>All targets</a></div>
    <div class="grid">
      <${Part} id="hint.now" title="Now" wide="wide" asked=${found}>${one && html`<${Now} one=${one} />`}<//>
      <${Part} id="hint.reasons" title="Reasons, the binding one first" wide="wide" asked=${found} isEmpty=${one && !one.reasons.length} why="No reason asks for another count.">${one && html`<${Reasons} one=${one} />`}<//>
      <${Panel} id="hint.forecast" own=${{ endpoint: of }} />
      <${Part} id="hint.basis" title="What it rests on" asked=${found}>${one && html`<${Basis} one=${one} />`}<//>
      <${Part} id="hint.preview" title="What the autoscaler will do" asked=${found}>${one && html`${one.hpa_preview.text && html`<p class="sentence">${name(one.hpa_preview.text)}</p>`}<p class="says">Would set ${number(one.hpa_preview.would_set)}; swallowed by its tolerance of ${share(one.hpa_preview.tolerance)}: <b>${one.hpa_preview.swallowed}</b>.</p>`}<//>
      <${Part} id="hint.translate" title="A queue in seconds" asked=${found}>${one && html`<p class="sentence">${translated(one)}</p>`}<//>
      <${Part} id="hint.score" title="How far to trust it" asked=${score}>${score.told && html`<${Score} told=${score.told} />`}<//>
      <${Part} id="hint.desk" title="Apply, freeze" asked=${found}>${one && html`<${Desk} one=${one} path=${path} again=${found.again} />`}<//>
      ${["hint.starts", "hint.proposals", "hint.history"].map((id) => html`<${Panel} key=${id} id=${id} own=${{ endpoint: of }} wide="wide" />`)}
    </div>`;
}

function Now({ one }) {
  const { replicas, confidence, slo } = one;
  const facts = [
    ["desired", number(replicas.desired)], ["ready", number(replicas.ready)], ["warming", number(replicas.warming)], ["asked for now", number(replicas.spec)],
    ["allowed", `${replicas.min} to ${replicas.max}`], ["before bounds", number(replicas.raw)], ["mode", one.mode], ["confidence", `${confidence.level} ${share(confidence.score)}`],
    ["issued", ago(parsed(one.issued_at))], [isExpired(one) ? "expired" : "expires", ago(parsed(one.expires_at))], ["objective", share(slo.objective)], ["good, 1 h", share(slo.attainment_1h, slo.objective)], ["burn, 1 h", slo.burn_1h === null ? UNKNOWN : `${number(slo.burn_1h)}×`], ["budget left", share(slo.budget_left)],
  ];
  return html`${isExpired(one) && html`<p class="notice bad">Expired ${ago(parsed(one.expires_at))}: do not act on it.</p>`}
    <dl class="facts">${facts.map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}</dl>
    <p class="says">${confidence.why.map(name).join(", ")}${replicas.bounded_by.length ? `; bounded by ${replicas.bounded_by.map(name).join(", ")}` : ""}</p>`;
}

function Reasons({ one }) {
  const reasons = [...one.reasons].sort((a, b) => Number(b.binding) - Number(a.binding));
  return html`<${Table} label="Reasons" heads=${[["reason"], ["signal"], ["value", true], ["threshold", true], ["wants", true], [""]]} rows=${reasons.map((/** @type {any} */ reason) => [
      html`<b>${reason.code}</b> ${reason.binding && html`<span class="chip ok">binding</span>`}`, name(reason.signal ?? ""), figure(reason.value, reason.unit), figure(reason.threshold, reason.unit), number(reason.wants), name(reason.text),
    ])} />
    ${one.vetoes.length > 0 && html`<h2>Vetoes</h2><${Table} label="Vetoes" heads=${[["veto"], ["against"], [""]]} rows=${one.vetoes.map((/** @type {any} */ veto) => [html`<b>${veto.code}</b>`, veto.against, name(veto.text)])} />`}`;
}

function Basis({ one }) {
  const { forecast, capacity } = one;
  const slower = one.cold_start?.regression;
  const facts = [
    ["lead", span(forecast.lead_s)], ["lead from", name(forecast.lead_basis)],
    ["method", name(forecast.method)], ["headroom", share(forecast.headroom)], ["capacity of a replica", figure(capacity.goodput_rps, "1/s")], ["capacity from", name(capacity.basis ?? UNKNOWN)], ["load", share(capacity.rho)],
    ...(slower ? [["starts became slower", slower.text]] : []),
    ...(forecast.schedule ? [["schedule", `${name(forecast.schedule.name)}, peak ${moment(parsed(forecast.schedule.peak_at) ?? 0)}, scale at ${moment(parsed(forecast.schedule.pre_scale_at) ?? 0)}`]] : []),
  ];
  return html`<dl class="facts">${facts.map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}</dl>`;
}

function translated({ capacity }) {
  const { queue_depth_hi: depth, queue_depth_hi_s: depth_s, queue_star: star, queue_star_s: star_s } = capacity;
  const first = depth_s === null ? `A queue of ${number(depth)} cannot be said in seconds: no capacity is known.` : `A queue of ${number(depth)} is ${figure(depth_s, "s")} of waiting at the present rate.`;
  return star === null ? first : `${first} For a wait of ${figure(star_s, "s")}, ${number(star)} is the threshold.`;
}

function Score({ told }) {
  const facts = Object.entries(told).filter(([, value]) => typeof value === "number" || typeof value === "string" || value === null);
  return html`<dl class="facts">${facts.slice(0, 16).map(([key, value]) => html`<div><dt>${key.replaceAll("_", " ")}</dt><dd>${typeof value === "number" ? figure(value, /ratio|share/.test(key) ? "ratio" : "") : name(value ?? UNKNOWN)}</dd></div>`)}</dl>`;
}

function Desk({ one, path, again }) {
  const [said, setSaid] = useState("");
  const isFrozen = one.mode === "frozen" || one.action === "frozen";
  const then = (/** @type {Promise<any>} */ sent, /** @type {string} */ done) => sent.then(() => (setSaid(done), again()), (error) => setSaid(error.message));
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const who = String(form.get("who"));
    localStorage.setItem(WHO, who);
    const act = /** @type {HTMLButtonElement | null} */ (event.submitter)?.value;
    if (act === "ack") return then(ask(`${path}/ack`, {}, { method: "POST", body: { hint_id: one.id, applied_replicas: one.replicas.desired, actor: who, automated: false } }), "Noted as applied.");
    if (act === "thaw") return then(ask(`${path}/freeze`, { who, reason: String(form.get("reason")) || "over" }, { method: "DELETE" }), "No longer frozen.");
    const until = iso(Math.floor((now_s() ?? 0) + Number(form.get("hours")) * 3600));
    return then(ask(`${path}/freeze`, {}, { method: "POST", body: { until, reason: String(form.get("reason")), who } }), "Frozen.");
  };
  return html`<form class="form" onSubmit=${submit}>
    <label>Who <input name="who" required maxlength="100" defaultValue=${localStorage.getItem(WHO) ?? ""} /></label>
    <div class="row"><button value="ack" disabled=${isExpired(one)}>I applied ${one.replicas.desired}</button>${isFrozen && html`<button value="thaw">End the freeze</button>`}</div>
    <label>Why freeze <input name="reason" maxlength="500" /></label>
    <label>For <select name="hours">${[1, 4, 24, 168].map((hours) => html`<option value=${hours}>${span(hours * 3600)}</option>`)}</select></label>
    <div class="row"><button class="main" value="freeze">Freeze at ${one.replicas.spec}</button></div>
    <p role="status" class="says">${said || "Frozen hints say so, and ask for what is there."}</p>
  </form>`;
}
