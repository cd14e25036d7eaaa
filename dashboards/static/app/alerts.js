// @ts-check
// Knows the pages of alerts: what fires, and of one what happened, to whom, since when, and what next.

import { ask } from "./api.js";
import { Part, useAsk } from "./ask.js";
import { html, useState } from "./dom.js";
import { toast } from "./empty.js";
import { figure, span, spoken } from "./format.js";
import { Panel } from "./panel.js";
import { Table } from "./table.js";
import { link, name, whole } from "./text.js";
import { ago, moment, now_s, parsed } from "./time.js";
import { href, iso } from "./url.js";

const WHO = "inferometer.who";

export function Alerts() {
  const found = useAsk("v1/alerts");
  const silences = useAsk("v1/silences", {}, 20);
  const rules = useAsk("v1/rules", {}, 30);
  const history = useAsk("v1/alerts/history", {}, 30);
  const alerts = found.told?.alerts ?? [];
  const quiet = (silences.told?.silences ?? []).filter((/** @type {any} */ one) => one.state !== "expired");
  return html`<div class="head"><h1>Alerts</h1><span class="soft">What fires, pages first${found.told?.as_of ? `, as of ${moment(parsed(found.told.as_of) ?? 0)}` : ""}.</span></div>
    <div class="grid">
      <${Part} id="alerts" title="Now" wide="wide" asked=${found} isEmpty=${found.told && !alerts.length}
        why=${html`<strong>Nothing fires, nothing is pending</strong><span>${(rules.told?.rules ?? []).filter((/** @type {any} */ one) => one.enabled).length} built-in rules and every objective are watched.</span>`}>
        <${Table} label="Alerts" heads=${[["state"], ["who"], ["alert"], ["what is said"], ["since"], ["held back"]]} rows=${alerts.map(row)} /><//>
      <${Part} id="alerts.silences" title="Silences" wide="wide" asked=${silences} isEmpty=${silences.told && !quiet.length} why="No silence holds. Make one from the page of an alert.">
        <${Table} label="Silences" heads=${[["of"], ["by"], ["why"], ["state"], ["until"], [""]]} rows=${quiet.map((/** @type {any} */ one) => silenceRow(one, silences.again))} /><//>
      <${Part} id="alerts.rules" title="Built-in rules, silent ones too" wide="wide" asked=${rules} isEmpty=${rules.told && !rules.told.rules.length} why="No built-in rule runs.">
        ${rules.told && html`<${Rules} rules=${rules.told.rules} />`}<//>
      <${Part} id="alerts.history" title="The last seven days" wide="wide" asked=${history} isEmpty=${history.told && !history.told.changes.length} why="No alert changed.">
        <${Table} label="Changes of alerts" heads=${[["when"], ["alert"], ["who"], ["from"], ["to"]]} rows=${(history.told?.changes ?? []).slice(0, 100).map((/** @type {any} */ one) => [
          moment(parsed(one.at) ?? 0), html`<a href=${href(["alerts", one.fingerprint])}>${name(one.alertname)}</a> <span class="soft small">${name(one.slo)}</span>`, one.severity, one.before, one.after,
        ])} /><//>
      <${Panel} id="alert.delivery" own=${{}} wide="wide" />
    </div>`;
}

function row(one) {
  return [
    html`<span class=${`state ${tone(one)}`}>${one.state}${one.is_flapping ? ", flapping" : ""}${one.is_blind ? ", blind" : ""}</span>`,
    one.severity, html`<a href=${href(["alerts", one.fingerprint])}>${name(one.alertname)}</a> <span class="soft small">${name(one.slo)}</span>`,
    long(one.annotations.summary ?? ""), ago(parsed(one.fired_at ?? one.active_at)), one.acknowledged ? `taken on by ${name(one.acknowledged.who)}` : name(one.held_back_by ?? ""),
  ];
}

function tone(one) {
  return one.state === "firing" ? (one.severity === "page" ? "bad" : "warn") : one.state === "pending" ? "warn" : "ok";
}

function silenceRow(one, again) {
  const end = async () => {
    await ask(`v1/silences/${encodeURIComponent(one.id)}`, { who: localStorage.getItem(WHO) ?? "" }, { method: "DELETE" }).then(() => toast("The silence is over"), (error) => toast(error.message));
    again();
  };
  const words = one.matchers.map((/** @type {any} */ part) => `${name(part.name)}${part.op}${name(part.value)}`).join(", ");
  return [words, name(one.author), name(one.comment), one.state, moment(parsed(one.ends_at) ?? 0), html`<button onClick=${end} aria-label=${`End the silence of ${words}`}>End</button>`];
}

function Rules({ rules }) {
  const verdict = (/** @type {any} */ rule) => rule.findings.map((/** @type {any} */ one) => one.verdict).sort((/** @type {string} */ a, /** @type {string} */ b) => RANK.indexOf(a) - RANK.indexOf(b))[0];
  return html`<${Table} label="Built-in rules" heads=${[["rule"], ["verdict"], ["the plain threshold says"], ["raises"], ["what it found, worst first"]]} rows=${rules.map((one) => {
    const [worst] = one.findings;
    return [
      html`<b title=${one.seed}>${name(one.name)}</b>`,
      !one.enabled ? html`<span class="soft">off</span>` : one.trouble ? html`<span class="state warn">not judged</span>` : html`<span class=${`state ${{ page: "bad", ticket: "warn" }[/** @type {string} */ (verdict(one))] ?? "ok"}`}>${verdict(one) ?? "silent"}</span>`,
      html`<span title=${one.misleads}>${worst?.naive_verdict ?? "silent"}</span>`, name(one.default),
      one.trouble ? name(one.trouble) : worst ? `${words(worst.labels)} ${words(worst.words)}` : "nothing",
    ];
  })} />`;
}

const RANK = ["page", "ticket", "silent"];

function words(all) {
  return Object.entries(all).map(([key, value]) => `${spoken(key)} ${name(value)}`).join(", ");
}

/** @param {{of: string}} props */
export function OneAlert({ of }) {
  const found = useAsk(`v1/alerts/${encodeURIComponent(of)}`);
  const history = useAsk("v1/alerts/history", { fingerprint: /^[0-9a-f]{16}$/.test(of) ? of : "" }, 20);
  const one = found.told;
  return html`<div class="head"><h1>${one ? name(one.alertname) : "Alert"}</h1>
      ${one && html`<span class=${`state ${tone(one)}`}>${one.severity} · ${one.state}</span>`}<span class="grow"></span><a href=${href(["alerts"])}>All alerts</a></div>
    <div class="grid">
      <${Part} id="alert.sentence" title="What happened" wide="wide" asked=${found}>${one && html`<${Told} one=${one} />`}<//>
      ${one && html`<${Around} one=${one} of=${of} />`}
      <${Part} id="alert.silence" title="Take it on, or silence it" asked=${found}>${one && html`<${Desk} one=${one} again=${found.again} />`}<//>
      <${Part} id="alert.changes" title="Its changes" asked=${history} isEmpty=${history.told && !history.told.changes.length} why="No change in the last seven days.">
        <${Table} label="Changes" heads=${[["when"], ["from"], ["to"]]} rows=${(history.told?.changes ?? []).slice(0, 50).map((/** @type {any} */ change) => [moment(parsed(change.at) ?? 0), change.before, change.after])} /><//>
      <${Panel} id="alert.delivery" own=${{ alert: of }} wide="wide" />
    </div>`;
}

/** What is said of an alert, in the order in which one asks; the rest comes behind. */
const FACTS = [
  ["impact", "Impact"], ["top_contributors", "Who is hit"], ["error_classes", "How they ended"], ["changes", "What changed"], ["sound", "Proof"], ["naive", "The plain threshold says"],
  ["naive_verdict", "Plain threshold"], ["budget_left", "Budget left"], ["burn", "Burn"], ["rule", "Rule"],
];
/** What panels show, or stands elsewhere. */
const APART = new Set(["summary", "link", "detail", "exemplars", "runbook", "phase_split", "engine", "gpu"]);

function Told({ one }) {
  const notes = one.annotations;
  const facts = [
    ["true since", moments(one.active_at)], ["fired", moments(one.fired_at)], ["calm since", moments(one.clear_since)], ["resolved", moments(one.resolved_at)],
    ["occurrence", String(one.occurrence)], ["held back by", one.held_back_by ? name(one.held_back_by) : "nobody"],
    ["taken on", one.acknowledged ? `${name(one.acknowledged.who)}, ${moments(one.acknowledged.at)}` : "by nobody"],
  ].filter(([, text]) => text);
  const known = new Set(FACTS.map(([key]) => key));
  const rest = Object.keys(notes).filter((key) => !known.has(key) && !APART.has(key)).map((key) => [key, spoken(key)]);
  return html`<p class="sentence">${long(notes.summary ?? one.alertname)}</p>
    <dl class="facts">${facts.map(([key, text]) => html`<div><dt>${key}</dt><dd>${text}</dd></div>`)}</dl>
    <dl class="rows">${[...FACTS, ...rest].filter(([key]) => notes[key]).map(([key, title]) => html`<dt>${title}</dt><dd>${parts(notes[key])}</dd>`)}
      ${link(notes.runbook) && notes.runbook && html`<dt>Runbook</dt><dd><a href=${link(notes.runbook)} rel="noreferrer">${name(notes.runbook)}</a></dd>`}</dl>
    <div class="labels">${Object.entries(one.labels).map(([key, value]) => html`<code>${name(key)}=${name(value)}</code>`)}</div>
    ${notes.detail && html`<details><summary>Everything that was stored of it</summary><pre tabindex="0">${whole(pretty(notes.detail), true)}</pre></details>`}`;
}

function parts(text) {
  return String(text).split("; ").map((part) => html`<span class="line">${long(part)}</span>`);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}

/** A sentence may be longer than a name. */
function long(text) {
  return whole(text).slice(0, 600);
}

function moments(at) {
  const found = parsed(at);
  return found === null ? "" : `${moment(found)}, ${ago(found)}`;
}

/** The panels of an hour around its start. */
function Around({ one, of }) {
  const at = parsed(one.active_at ?? one.fired_at) ?? 0;
  const now = now_s() ?? 0;
  const range = { from: iso(at - 3600), to: at + 3600 < now ? iso(at + 3600) : "now" };
  const { endpoint } = one.labels;
  const own = { ...range, alert: of };
  const beside = { ...range, ...(endpoint ? { endpoint } : {}) };
  const told = useAsk("v1/markers", { from: range.from, ...(range.to === "now" ? {} : { to: range.to }) }, 30).told?.markers ?? [];
  if (!at || !now) return null;
  const marks = [{ at, text: "began" }, ...told.filter((/** @type {any} */ mark) => !endpoint || !mark.endpoint || mark.endpoint === endpoint).map((/** @type {any} */ mark) => ({ at: parsed(mark.at) ?? 0, text: mark.kind })), ...changes(one)];
  return html`<${Panel} id="alert.signal" own=${own} marks=${marks} wide="wide" />
    <${Panel} id="alert.exemplars" own=${own} wide="wide" link=${(/** @type {any[]} */ row, /** @type {string} */ column) => (column === "id" ? href(["requests", row[1]], { ...beside, to: null }) : null)} />
    <${Panel} id="alert.context" own=${own} draw=${compared} />
    <${Panel} id="fleet.ttft" own=${beside} marks=${marks} title="Time to first token, an hour around" />
    <${Panel} id="fleet.bad" own=${beside} marks=${marks} title="Bad requests, an hour around" />`;
}

/** What changed before it fired, as it was stored. */
function changes(one) {
  try {
    return (JSON.parse(one.annotations.detail ?? "{}").changes ?? []).map((/** @type {any} */ each) => ({ at: each.at, text: each.kind }));
  } catch {
    return [];
  }
}

/** Each fact in its own unit; what more than doubled stands out. */
function compared(body) {
  const isNone = (/** @type {any[]} */ row) => !row[2] && !row[3];
  const none = body.rows.filter(isNone).map(([fact]) => fact);
  return html`<${Table} label="Before, and at the peak" heads=${[["fact"], ["before", true], ["at the peak", true], ["change", true]]} rows=${body.rows.filter((row) => !isNone(row)).map(([fact, unit, before, peak, change]) => {
    const text = change === null ? (peak && before === 0 ? "from none" : "") : figure(change, "x");
    return [fact, figure(before, unit), figure(peak, unit), change > 2 || (change !== null && change < 0.5) || text === "from none" ? html`<strong>${text}</strong>` : text];
  })} />${none.length > 0 && html`<p class="says">None, before and at the peak: ${none.join("; ")}.</p>`}`;
}

function Desk({ one, again }) {
  const [said, setSaid] = useState("");
  const send = (/** @type {string} */ path, /** @type {any} */ body, /** @type {string} */ done) =>
    ask(path, {}, { method: "POST", body }).then(() => (setSaid(done), again()), (error) => setSaid(error.message));
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const who = String(form.get("who") ?? "");
    localStorage.setItem(WHO, who);
    const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
    if (button?.value === "ack") return send(`v1/alerts/${one.fingerprint}/ack`, { who }, "Taken on: it is not told again while it fires.");
    const until = (now_s() ?? 0) + Number(form.get("hours")) * 3600;
    const matchers = Object.entries(one.labels).map(([key, value]) => ({ name: key, op: "=", value }));
    return send("v1/silences", { matchers: matchers.slice(0, 16), ends_at: iso(Math.floor(until)), author: who, comment: String(form.get("comment")) }, `Silenced for ${span(Number(form.get("hours")) * 3600)}.`);
  };
  return html`<form class="form" onSubmit=${submit}>
    <label>Who <input name="who" required maxlength="100" defaultValue=${localStorage.getItem(WHO) ?? ""} autocomplete="username" /></label>
    <div class="row">${one.state === "firing" && html`<button value="ack" formnovalidate=${false}>Take it on</button>`}</div>
    <label>Why silence it <input name="comment" maxlength="500" placeholder="what is being done" /></label>
    <label>For <select name="hours">${[1, 4, 24, 168].map((hours) => html`<option value=${hours}>${span(hours * 3600)}</option>`)}</select></label>
    <div class="row"><button class="main" value="silence">Silence exactly this alert</button></div>
    <p role="status" class="says">${said || "Evaluation, budgets and the gate go on while it is silent."}</p>
  </form>`;
}

