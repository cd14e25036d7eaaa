// @ts-check
// Knows what can be done with a panel beside reading it.

import { html, useRef } from "./dom.js";
import { copy } from "./empty.js";
import { twin } from "./panel.js";
import { link } from "./text.js";
import { asked, change, instant } from "./url.js";

/** Show a panel in a view, or as it is by itself. @param {string} id @param {string} view */
export function toggleView(id, view) {
  const isOn = asked("view") === view && asked("panel").split(",").includes(id);
  change(isOn ? { panel: null, view: null } : { panel: id, view });
}

/**
 * @param {{id: string, definition: import("./series.js").Definition, body: import("./series.js").Body | null,
 *   params: Record<string, string>, view: string}} props
 */
export function Menu({ id, definition, body, params, view }) {
  const place = useRef(/** @type {any} */ (null));
  const item = (/** @type {string} */ text, /** @type {() => void} */ act) => html`<button onClick=${() => (close(place.current), act())}>${text}</button>`;
  const isTable = definition.kind === "table" && !definition.id.startsWith("lt.");
  return html`<details class="more" ref=${place} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && place.current?.open && (event.stopPropagation(), close(place.current))}
    onFocusOut=${(/** @type {FocusEvent} */ event) => !place.current?.contains(event.relatedTarget) && place.current?.removeAttribute("open")}>
    <summary aria-label=${`More of ${definition.title}`}>⋯</summary>
    <div class="menu">
      ${!isTable && item(view === "table" ? "Show the chart" : "Show as table", () => toggleView(id, "table"))}
      ${body?.sql && item(view === "sql" ? "Hide SQL" : "Show SQL", () => toggleView(id, "sql"))}
      ${body?.sql && item("Copy SQL", () => copy(body.sql))}
      ${definition.promql && item("Copy PromQL", () => copy(promql(definition.promql, params)))}
      ${item("Copy as curl", () => copy(`curl '${twin(id, params, "json").replaceAll("'", "%27")}'`))}
      ${definition.links.grafana && html`<a href=${grafana(definition.links.grafana, params)} target="_blank" rel="noreferrer">Open in Grafana</a>`}
      ${["csv", "json"].map((form) => html`<a href=${twin(id, params, form)}>.${form}</a>`)}
    </div></details>`;
}

function close(menu) {
  menu?.removeAttribute("open");
  menu?.querySelector("summary")?.focus();
}

/** For Prometheus itself: variables are what is filtered. @param {string} text @param {Record<string, string>} params */
export function promql(text, params) {
  return text.replace(/=~"\$\{(\w+)\}"/g, (_, dim) => (params[dim] ? `=${JSON.stringify(params[dim])}` : '=~".*"'));
}

/** The same time of the page's dashboard. @param {string} dashboard @param {Record<string, string>} params */
export function grafana(dashboard, params) {
  const at = (/** @type {string} */ text) => (/^now/.test(text) ? text : String(Math.round(1000 * (instant(text, 0) ?? 0))));
  return link(`${dashboard}?${new URLSearchParams({ from: at(params.from), to: at(params.to), ...(params.endpoint ? { "var-endpoint": params.endpoint } : {}) })}`);
}

/** @param {{body: import("./series.js").Body}} props */
export function Sql({ body }) {
  return html`<div>
    <pre tabindex="0" aria-label="SQL">${body.sql || "The engine answers by itself; no statement is sent to the store."}</pre>
    ${Object.keys(body.parameters ?? {}).length > 0 && html`<p class="says">Parameters: <code>${JSON.stringify(body.parameters)}</code></p>`}
  </div>`;
}
