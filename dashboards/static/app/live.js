// @ts-check
// Knows the one event stream of a visible tab, or polls; refuses to draw.
// Source: spec/ui.md 2.

import { effect, signal } from "@preact/signals";
import { address, ask } from "./api.js";
import { common, definitions, link, mounted, refresh, slots, take } from "./panels.js";
import { elapsed_s, set } from "./time.js";
import { isLive, route } from "./url.js";

const POLL_MS = 5000;
const CALM_S = 5;
const AGAIN_MS = 60;
/** The server says something every ten seconds. */
const SILENT_S = 13;

/** Since when nothing was heard, monotonic seconds; null while something is. */
export const lost = signal(/** @type {number | null} */ (null));
/** What the server says of the whole. @type {import("@preact/signals").Signal<any>} */
export const state = signal(null);
/** Grows with every change of an alert. */
export const alertChanges = signal(0);

/** @type {EventSource | null} */
let source = null;
let sourceOf = "";
let isPlanned = false;
let retryAt_s = 0;
let heard_s = 0;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
/** Answers that wait for the next redraw. @type {Map<any, any>} */
const waiting = new Map();

/** @returns {import("./panels.js").Slot[]} */
function streamed() {
  return [...slots.values()].filter((one) => one.isStreamed);
}

/** Open what the page needs now, and close what it does not. */
function settle() {
  isPlanned = false;
  const wanted = document.hidden || !isLive() || elapsed_s() < retryAt_s ? "" : target();
  if (wanted === sourceOf) return;
  source?.close();
  source = null;
  sourceOf = wanted;
  if (!wanted) {
    link.value = isLive() ? "polling" : "paused";
    return;
  }
  open(wanted);
}

function target() {
  const ids = [...new Set(streamed().map((one) => one.id))].sort();
  return ids.length ? address("v1/live", { panels: ids.join(","), ...common() }).href : "";
}

function open(url) {
  const one = new EventSource(url);
  source = one;
  one.addEventListener("panel", (event) => arrived(JSON.parse(event.data)));
  one.addEventListener("state", (event) => {
    heard();
    state.value = JSON.parse(event.data);
    if (typeof state.value?.now_unix_s === "number") set(state.value.now_unix_s);
  });
  one.addEventListener("alert", () => {
    heard();
    alertChanges.value += 1;
  });
  one.addEventListener("bye", () => {
    one.close();
    giveUp(one, 1);
  });
  one.onerror = () => {
    lost.value ??= elapsed_s();
    if (one.readyState === EventSource.CLOSED) giveUp(one, CALM_S * 2);
    else link.value = "polling";
  };
}

/** Poll for a while before the next stream. */
function giveUp(one, wait_s) {
  if (source !== one) return;
  source = null;
  sourceOf = "";
  retryAt_s = elapsed_s() + wait_s;
  link.value = "polling";
  setTimeout(plan, wait_s * 1000 + 50);
}

function heard() {
  heard_s = elapsed_s();
  lost.value = null;
  link.value = "live";
}

function arrived(body) {
  heard();
  for (const slot of streamed().filter((one) => one.id === body.panel)) {
    // With calm, changes wait, not first answers.
    if (calm.matches && slot.answer.value.body) waiting.set(slot, body);
    else take(slot, body);
  }
}

function plan() {
  if (isPlanned) return;
  isPlanned = true;
  setTimeout(settle, AGAIN_MS);
}

async function poll() {
  if (document.hidden || !isLive()) return;
  const all = [...slots.values()].filter((one) => !one.isStreamed || link.value !== "live");
  if (link.value !== "live") {
    try {
      await ask("v1/panels");
      lost.value = null;
      if (!source) plan();
    } catch {
      lost.value ??= elapsed_s();
    }
  }
  if (lost.value === null) await Promise.all(all.map(refresh));
  link.value = lost.value !== null && elapsed_s() - lost.value > 2 ? "lost" : link.value === "lost" ? "polling" : link.value;
}

export function start() {
  document.addEventListener("visibilitychange", () => {
    plan();
    if (!document.hidden) poll();
  });
  effect(() => {
    mounted.value;
    route.value;
    definitions.value;
    plan();
  });
  setInterval(poll, POLL_MS);
  setInterval(() => {
    if (link.value === "live" && elapsed_s() - heard_s > SILENT_S) {
      lost.value ??= heard_s;
      link.value = "lost";
    }
  }, 1000);
  setInterval(() => {
    waiting.forEach((body, slot) => take(slot, body));
    waiting.clear();
  }, CALM_S * 1000);
}
