// @ts-check
// Knows what each key does (WCAG 2.1.4).

import { html, useEffect, useState } from "./dom.js";
import { move, openKeys, PLACES, toggleLive } from "./shell.js";
import { toggleView } from "./menu.js";
import { asked, change, go, href } from "./url.js";

const OFF = "inferometer.keys";
const LIST = [
  ["/", "search names"], ["?", "this list"], ...PLACES.map(([, title, key]) => [`g ${key}`, title]), ["[ ]", "earlier, later"],
  ["- +", "longer, shorter range"], ["c", "compare with another time, endpoint, model"], ["v", "table of the panel in focus"], ["s", "SQL of it"],
  [".", "live or paused"], ["← →", "walk a chart in focus"], ["Esc", "close"],
];
let isAfterG = false;

function pressed(event) {
  const at = /** @type {HTMLElement} */ (event.target);
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName) || at.isContentEditable;
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping || localStorage.getItem(OFF) === "off") return;
  const { key } = event;
  if (isAfterG) {
    isAfterG = false;
    const page = PLACES.find((one) => one[2] === key);
    if (page) return done(event, () => go(href([page[0]].filter(Boolean))));
  }
  const panel = panelInFocus();
  /** @type {Record<string, () => void>} */
  const acts = {
    g: () => (isAfterG = true),
    "?": openKeys,
    "/": () => /** @type {HTMLElement | null} */ (document.querySelector("[data-search], .controls select"))?.focus(),
    "[": () => move({ move: -0.5 }),
    "]": () => move({ move: 0.5 }),
    "-": () => move({ zoom: 2 }),
    "+": () => move({ zoom: 0.5 }),
    c: () => {
      const choice = /** @type {HTMLSelectElement | null} */ (document.getElementById("pick-compare"));
      choice?.focus();
      choice?.showPicker();
    },
    v: () => panel && toggleView(panel, "table"),
    s: () => panel && toggleView(panel, "sql"),
    ".": toggleLive,
    Escape: () => asked("view") && change({ view: null, panel: null }),
  };
  if (acts[key]) done(event, acts[key]);
}

function done(event, act) {
  event.preventDefault();
  act();
}

function panelInFocus() {
  const inside = document.activeElement?.closest("[data-panel]") ?? document.querySelector("[data-panel]:hover") ?? document.querySelector("[data-panel]");
  return /** @type {HTMLElement | null} */ (inside)?.dataset.panel ?? "";
}

export function Keys() {
  const [isOff, setOff] = useState(localStorage.getItem(OFF) === "off");
  useEffect(() => {
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
  return html`<dialog id="keys" aria-label="Keys">
    <h2>Keys</h2>
    <div class="keys">${LIST.map(([keys, does]) => html`<div><kbd>${keys}</kbd> <span class="soft">${does}</span></div>`)}</div>
    <p class="says">${PLACES.length} pages. A drag over a chart narrows the range; with Shift it sets the newest part beside the dragged one. Back undoes both.</p>
    <p><label><input type="checkbox" checked=${!isOff} onChange=${(event) => {
      setOff(!event.target.checked);
      localStorage.setItem(OFF, event.target.checked ? "on" : "off");
    }} /> keys are on</label> <button onClick=${(event) => event.target.closest("dialog").close()}>Close</button></p>
  </dialog>`;
}
