// @ts-check
// Knows the page about the measuring itself.

import { html } from "./dom.js";
import { Panel } from "./panel.js";

export function Telemetry() {
  return html`<div class="head"><h1>Telemetry health</h1><span class="soft">Can these pages be trusted? Accepted = stored + spooled + dropped + dead letters; anything else is a loss.</span></div>
    <div class="grid">
      <${Panel} id="tel.conservation" wide="wide" />
      <${Panel} id="tel.lag" /><${Panel} id="tel.overhead" />
      <${Panel} id="tel.sources" wide="wide" />
    </div>`;
}
