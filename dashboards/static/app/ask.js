// @ts-check
// Knows how a page keeps an answer of the API fresh that is no panel.

import { ask } from "./api.js";
import { html, signal, useEffect, useMemo } from "./dom.js";
import { alertChanges } from "./live.js";
import { Failed } from "./panel.js";
import { isLive } from "./url.js";

/**
 * @param {string} path @param {import("./api.js").Query} [query] @param {number} [every_s]
 * @returns {{told: any, problem: import("./api.js").Problem | null, again: () => void}}
 */
export function useAsk(path, query = {}, every_s = 10) {
  const key = `${path}?${JSON.stringify(query)}`;
  const found = useMemo(() => signal({ told: /** @type {any} */ (null), problem: /** @type {any} */ (null) }), [key]);
  const look = useMemo(() => () => {
    ask(path, query).then(
      (told) => (found.value = { told, problem: null }),
      (problem) => (found.value = { told: found.value.told, problem }),
    );
  }, [key]);
  const changes = alertChanges.value;
  useEffect(() => {
    look();
    const timer = setInterval(() => !document.hidden && isLive() && look(), every_s * 1000);
    return () => clearInterval(timer);
  }, [key, changes]);
  return { ...found.value, again: look };
}

/**
 * A part of a page that is no panel of the list, with the same states.
 * @param {{id: string, title: string, wide?: string, asked: ReturnType<typeof useAsk>, children: any, isEmpty?: boolean, why?: any}} props
 */
export function Part({ id, title, wide = "", asked, children, isEmpty = false, why = null }) {
  const { told, problem, again } = asked;
  const state = told ? (problem ? "stale" : isEmpty ? "no_traffic" : "ok") : problem ? "error" : "loading";
  return html`<section class=${`card ${wide}`} data-panel=${id} data-state=${state} aria-label=${title}>
    <h2>${title} ${told && problem && html`<span class="chip warn">last try failed: ${problem.title}</span>`}</h2>
    ${told ? (isEmpty ? html`<div class="empty">${why}</div>` : children) : problem ? html`<${Failed} problem=${problem} retry=${again} />` : html`<div class="skeleton"></div>`}
  </section>`;
}
