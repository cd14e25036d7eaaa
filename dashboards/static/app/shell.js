// @ts-check
// Knows the frame of every page.

import { ask } from "./api.js";
import { against } from "./compare.js";
import { html, signal, useEffect } from "./dom.js";
import { copy } from "./empty.js";
import { span } from "./format.js";
import { alertChanges, lost, state } from "./live.js";
import { known, learnNames } from "./names.js";
import { definitions, definitionsProblem, link } from "./panels.js";
import { name } from "./text.js";
import { isUtc, now_s, tick, when, zone } from "./time.js";
import { themeName, toggleTheme } from "./theme.js";
import { asked, change, filters, here, href, instant, iso, isLive, moved, PAGES, range, route } from "./url.js";

/** Pages: path, title, and the key behind `g`. */
export const PLACES = [
  ["", "Fleet", "f"], ["endpoints", "Endpoints", "e"], ["requests", "Requests", "r"], ["slos", "SLOs", "s"], ["alerts", "Alerts", "a"],
  ["loadtests", "Load tests", "l"], ["hints", "Hints", "h"], ["telemetry", "Telemetry", "t"],
];
const NAMES_MS = 2500;
const RANGES = ["5m", "15m", "1h", "6h", "1d", "7d"];
const COMPARED = ["1h", "1d", "7d"].map((one) => [`-${one}`, `${one} before`]);
/** Alerts that fire. */
export const firing = signal(/** @type {any[]} */ ([]));

/** Show the list of keys. */
export function openKeys() {
  /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"))?.showModal();
}

/** @param {{children: any}} props */
export function Shell({ children }) {
  useAlerts();
  const page = route.value.path[0] ?? "";
  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <header class="bar">
      <div>
        <a class="brand" href=${href([])}><img src=${new URL("app/icon.svg", PAGES).pathname} alt="" />inferometer</a>
        ${known.value.endpoint.some((one) => one.includes("(simulated)")) && html`<span class="chip warn">DEMO</span>`}
        <nav aria-label="Pages"><ul>${PLACES.map(([path, title]) => html`<li><a href=${href(path ? [path] : [])} aria-current=${page === path ? "page" : null}>${title}${path === "alerts" && firing.value.length > 0 && html` <span class="chip bad">${firing.value.length}</span>`}</a></li>`)}</ul></nav>
        <${Alive} />
        <button onClick=${toggleTheme} title="Theme">${themeName.value === "dark" ? "Light" : "Dark"}</button>
        <button onClick=${openKeys} aria-label="Keys" title="Keys">?</button>
      </div>
      <${Controls} />
    </header>
    <main id="main" tabindex="-1">
      ${definitionsProblem.value && html`<p class="notice bad">${definitionsProblem.value.title}: ${definitionsProblem.value.message}. Asked again every 3 s.</p>`}
      ${state.value?.store === "unreachable" && html`<p class="notice">The store does not answer; what is shown is what was read last.</p>`}
      ${(state.value?.problems ?? []).map((/** @type {string} */ one) => html`<p class="notice">${name(one)}</p>`)}
      ${children}
    </main>
    <div class="toast" id="toast" role="status"></div>
    <${Spoken} />
  `;
}

function Spoken() {
  const pages = firing.value.filter((one) => one.severity === "page");
  return html`<div class="hidden" role="alert" aria-live="assertive">${pages.length ? `${pages.length} pages fire: ${pages.map((one) => one.alertname).join(", ")}` : ""}</div>`;
}

function useAlerts() {
  const changes = alertChanges.value;
  useEffect(() => {
    const look = () => document.hidden || ask("v1/alerts", { state: "firing" }).then((told) => (firing.value = told.alerts)).catch(() => {});
    look();
    const timer = setInterval(look, 15_000);
    return () => clearInterval(timer);
  }, [changes]);
}

function Alive() {
  const now = tick.value;
  const said = {
    live: "live", polling: "every 5 s", paused: "paused",
    lost: `no answer for ${span(Math.max(0, now - (lost.value ?? now)))}`,
  }[link.value] ?? "";
  const at = now_s();
  return html`<span class="live" data-link=${link.value} title="Server time">${said}${at !== null && link.value !== "lost" ? html` <span>${when(at)} ${isUtc.value ? "UTC" : ""}</span>` : ""}</span>`;
}

function Controls() {
  useNames();
  const { from, to } = range();
  const isPast = to !== "now";
  return html`<div class="controls">
    <span class="group" role="group" aria-label="Range">${RANGES.map((one) => html`<button aria-pressed=${!isPast && from === `now-${one}`} onClick=${() => change({ from: `now-${one}`, to: null })}>${one}</button>`)}</span>
    <span class="group" role="group" aria-label="Move the range">
      <button aria-label="Earlier" title="Earlier  [" onClick=${() => move({ move: -0.5 })}>◂</button>
      <button aria-label="Later" title="Later  ]" onClick=${() => move({ move: 0.5 })}>▸</button>
      <button aria-label="Longer" title="Longer  -" onClick=${() => move({ zoom: 2 })}>−</button>
      <button aria-label="Shorter" title="Shorter  +" onClick=${() => move({ zoom: 0.5 })}>+</button>
    </span>
    ${isPast && html`<span class="small">${rangeWords(from, to)} <button onClick=${() => change({ from: null, to: null })}>Back to live</button></span>`}
    <${Pick} label="Endpoint" field="endpoint" none="all" groups=${[["", named("endpoint")]]} />
    <${Pick} label="Model" field="model" none="all" groups=${[["", named("model")]]} />
    <${Pick} label="Compare" field="compare" none="nothing" said=${against()?.name} groups=${[["", COMPARED], ...Object.keys(known.value).map((dim) => [`other ${dim}`, named(dim, `${dim}:`)])]} />
    ${filters().run && html`<button onClick=${() => change({ run: null, traffic: null })}>Run ${name(filters().run)} ×</button>`}
    <span class="grow"></span>
    <button aria-pressed=${isUtc.value} title=${`Times are in ${zone()}`} onClick=${() => change({ tz: isUtc.value ? null : "utc" })}>UTC</button>
    <button onClick=${share} title="Copy this page with its times frozen">Share</button>
  </div>`;
}

function rangeWords(from, to) {
  const now = now_s() ?? 0;
  const [a, b] = [instant(from, now), instant(to, now)];
  return a !== null && b !== null ? `${when(a)} – ${when(b)}` : "";
}

/**
 * @param {{label: string, field: string, none: string, said?: string, groups: [string, [string, string][]][]}} props groups: their name, value and words of each choice
 */
function Pick({ label, field, none, said, groups }) {
  const chosen = asked(field);
  const isListed = !chosen || groups.some(([, all]) => all.some(([value]) => value === chosen));
  const option = ([value, text]) => html`<option value=${value} selected=${value === chosen}>${text}</option>`;
  return html`<label>${label} <select id=${`pick-${field}`} value=${chosen} onChange=${(event) => change({ [field]: event.target.value })}>
    ${[["", none], ...(isListed ? [] : [[chosen, said ?? name(chosen)]])].map(option)}
    ${groups.map(([group, all]) => (group && all.length ? html`<optgroup label=${group}>${all.map(option)}</optgroup>` : all.map(option)))}
  </select></label>`;
}

function named(dim, before = "") {
  return known.value[dim].map((one) => [before + one, name(one)]);
}

/** Names, once, where the page itself has none. */
function useNames() {
  const isKnown = definitions.value?.has("fleet.endpoints");
  useEffect(() => {
    if (!isKnown) return;
    const look = () => known.value.endpoint.length || ask("v1/panels/fleet.endpoints.json", { from: "now-15m" }).then(learnNames).catch(() => {});
    const timer = setTimeout(look, NAMES_MS);
    return () => clearTimeout(timer);
  }, [isKnown]);
}

/** @param {{move?: number, zoom?: number}} how */
export function move(how) {
  const now = now_s();
  if (now !== null) change(moved(now, how));
}

function share() {
  const now = now_s() ?? 0;
  const { from, to } = range();
  const [a, b] = [instant(from, now), instant(to, now)];
  if (a === null || b === null) return;
  copy(new URL(here({ from: iso(Math.floor(a)), to: iso(Math.floor(b)) }), location.href).href, "The address is copied, its times frozen");
}

export function toggleLive() {
  change({ live: isLive() ? "0" : null, ...(range().to === "now" ? {} : { from: null, to: null }) });
}

