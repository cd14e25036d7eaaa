// @ts-check
// Knows a panel whose numbers are not of the list.

import { html } from "./dom.js";
import { Shown } from "./panel.js";

/**
 * @param {{id: string, title: string, question: string, unit: string, kind: string, body: any, act: string,
 *   problem?: import("./api.js").Problem | null, again: () => void, limit?: number | null, wide?: string, isTall?: boolean,
 *   marks?: {at: number, text: string}[]}} props
 */
export function OwnPanel({ body, problem = null, act, ...props }) {
  const whole = body && { state: body.rows.length ? "ok" : "no_traffic", provenance: { method: "exact" }, blind: [], parameters: {}, sql: "", ...body };
  const definition = { columns: [], meaning: "", action: act, filters: [], links: {}, ...props };
  return html`<${Shown} ...${props} definition=${definition} answer=${{ body: whole, problem, at_s: 0, asked_s: 0 }} params=${{}} other=${null} />`;
}
