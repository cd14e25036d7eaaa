// @ts-check
// Knows which page an address means, and follows links without loading anew.

import { Alerts, OneAlert } from "./alerts.js";
import { html, render } from "./dom.js";
import { Endpoint, Endpoints } from "./endpoint.js";
import { Fleet } from "./fleet.js";
import { Hints, OneHint } from "./hints.js";
import { Keys } from "./keys.js";
import { start } from "./live.js";
import { Compare, LoadTests, OneRun } from "./loadtests.js";
import { definitions, learnPanels } from "./panels.js";
import { OneRequest } from "./request.js";
import { Requests } from "./requests.js";
import { Shell } from "./shell.js";
import { OneSlo, Slos } from "./slos.js";
import { Telemetry } from "./telemetry.js";
import { name } from "./text.js";
import { go, href, PAGES, read, route } from "./url.js";

/** @type {Record<string, [any, any]>} */
const PAGES_BY_NAME = {
  "": [Fleet, null], endpoints: [Endpoints, Endpoint], requests: [Requests, OneRequest], slos: [Slos, OneSlo],
  alerts: [Alerts, OneAlert], loadtests: [LoadTests, OneRun], compare: [Compare, null], hints: [Hints, OneHint],
  telemetry: [Telemetry, null],
};

function App() {
  const { path } = route.value;
  const [all, one] = PAGES_BY_NAME[path[0] ?? ""] ?? [Missing, null];
  document.title = [...path.map(name).reverse(), "inferometer"].join(" · ");
  const page = path.length > 1 ? (one ? html`<${one} key=${path[1]} of=${path[1]} />` : html`<${Missing} />`) : html`<${all} />`;
  return html`<${Shell}>${definitions.value || path[0] === "alerts" ? page : html`<div class="skeleton"></div>`}<//><${Keys} />`;
}

function Missing() {
  return html`<div class="head"><h1>There is no page here</h1></div><p><a href=${href([])}>Fleet</a> shows everything at once.</p>`;
}

function followed(event) {
  const link = /** @type {HTMLAnchorElement | null} */ (/** @type {HTMLElement} */ (event.target).closest?.("a[href]"));
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || !url.pathname.startsWith(PAGES.pathname) || url.hash || link.download) return;
  event.preventDefault();
  go(url.href);
  window.scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
}

document.addEventListener("click", followed);
window.addEventListener("popstate", () => (route.value = read(location.href)));
learnPanels();
start();
const place = /** @type {HTMLElement} */ (document.getElementById("app"));
place.replaceChildren();
render(html`<${App} />`, place);
