// @ts-check
// Knows why a panel is empty, in words, and which switch fills it. Source: spec/ui.md 4, 1.3.

import { html } from "./dom.js";
import { Refusals } from "./figures.js";
import { span } from "./format.js";
import { name } from "./text.js";
import { moment, now_s, when } from "./time.js";

/** @param {{body: import("./series.js").Body, definition: import("./series.js").Definition}} props */
export function Empty({ body, definition }) {
  const silent = (body.provenance?.silent ?? []).map(name).join(", ");
  switch (body.state) {
    case "no_traffic":
      return html`<div class="empty">
        <strong>No requests since ${when(Date.parse(body.from) / 1000)}</strong>
        <span>Collectors are heard and nothing came through the tee. Point a client at it:</span>
        <${Copy} text="base_url=http://127.0.0.1:8100/v1" />
      </div>`;
    case "blind":
    case "down":
    case "down_or_blind":
      return html`<div class="empty blind"><strong>${since(body)}</strong>
        <span>${silent ? `Silent: ${silent}. ` : ""}Nobody looks, so nothing is known: this is not zero. Check with</span>
        <${Copy} text="inferometer doctor" /></div>`;
    case "locked":
      return html`<div class="empty"><strong>${definition.title} is not measured yet</strong>
        <span>${definition.meaning}</span>
        ${body.unlock
          ? html`<span>${body.unlock.engine === "*" ? "It is filled by" : `Start ${name(body.unlock.engine)} with`}</span><${Copy} text=${body.unlock.flag} />`
          : html`<span>No switch of this engine tells it.</span>`}
      </div>`;
    case "refused":
      return html`<div class="empty"><strong>${body.error?.title ?? "Too few requests for a number that can be trusted"}</strong>
        <span>${body.error?.detail ?? html`<${Refusals} body=${body} />`}</span></div>`;
    case "error":
      return html`<div class="empty"><strong>${body.error?.title ?? "The store did not answer"}</strong>
        <span>${body.error?.detail ?? ""} The rest of the page goes on.</span>${body.sql && html`<details><summary>The statement</summary><pre tabindex="0">${body.sql}</pre></details>`}</div>`;
    default:
      return html`<div class="empty"><strong>Nothing here ${where(body)}</strong><span>${definition.meaning}</span>
        ${emptyFlag(definition)}</div>`;
  }
}

/** What fills it with any engine; which one this is, nobody said. */
function emptyFlag(definition) {
  const first = definition.unlock?.["*"];
  return first && html`<span>It is filled by</span><${Copy} text=${first} />`;
}

function where(body) {
  return body.from ? `since ${when(Date.parse(body.from) / 1000)}` : "yet";
}

function since(body) {
  const mark = body.provenance?.watermark_unix_s;
  const now = now_s();
  if (!mark) return "Nobody looks";
  return `No data since ${moment(mark)}${now ? `, ${span(Math.max(0, now - mark))} ago` : ""}`;
}

/** Something to type, with a button that copies it. @param {{text: string}} props */
export function Copy({ text }) {
  return html`<span class="copy"><code>${text}</code><button onClick=${() => copy(text)}>Copy</button></span>`;
}

/** @param {string} text @param {string} [done] what is said then */
export async function copy(text, done = "Copied") {
  await navigator.clipboard?.writeText(text).then(() => toast(done), () => toast(`This browser lets nothing be copied here: ${text}`));
}

/** Tell something in passing. @param {string} text */
export function toast(text) {
  const place = document.getElementById("toast");
  if (!place) return;
  place.textContent = text;
  setTimeout(() => place.textContent === text && (place.textContent = ""), 3000);
}
