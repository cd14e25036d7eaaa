// @ts-check
// Knows which panels are on the page, and keeps their answers fresh; refuses to draw.

import { signal } from "@preact/signals";
import { ask, Problem } from "./api.js";
import { against, changed, whyNot } from "./compare.js";
import { useEffect, useMemo } from "./dom.js";
import { learnNames } from "./names.js";
import { elapsed_s } from "./time.js";
import { filters, instant, isLive, range, route } from "./url.js";

/**
 * @typedef {import("./series.js").Body} Body
 * @typedef {import("./series.js").Definition} Definition
 * @typedef {{body: Body | null, problem: Problem | null, at_s: number, asked_s: number}} Answer
 * @typedef {{id: string, key: string, params: Record<string, string>, answer: import("@preact/signals").Signal<Answer>,
 *   users: number, isStreamed: boolean, busy: boolean}} Slot
 */

const STREAM_MS = 2500;
/** Some present, to take lengths of ranges by. */
const PRETEND_S = 2e9;

/** Every panel that the server knows, by id; null until it said so. */
export const definitions = signal(/** @type {Map<string, Definition> | null} */ (null));
export const definitionsProblem = signal(/** @type {Problem | null} */ (null));
/** Panels that are on the page, by id and parameters. @type {Map<string, Slot>} */
export const slots = new Map();
/** `live`, `polling`, `paused` or `lost`. */
export const link = signal("polling");
/** Changes whenever the set of panels on the page does. */
export const mounted = signal(0);

export async function learnPanels() {
  try {
    const told = await ask("v1/panels");
    definitions.value = new Map(told.panels.map((/** @type {Definition} */ one) => [one.id, one]));
    definitionsProblem.value = null;
  } catch (error) {
    definitionsProblem.value = /** @type {Problem} */ (error);
    setTimeout(learnPanels, 3000);
  }
}

/** Parameters that every panel of the page has, and one's own. @param {Record<string, string>} [own] @returns {Record<string, string>} */
export function common(own = {}) {
  const [page, of] = route.value.path;
  const all = { ...range(), ...filters(), ...(page === "endpoints" && of && { endpoint: of }), ...own };
  return { ...all, ...grain(all.from, all.to) };
}

/** Seconds of 5 to 15 min are more than a chart can show. */
function grain(from, to) {
  const length = (instant(to, PRETEND_S) ?? 0) - (instant(from, PRETEND_S) ?? 0);
  return length > 300 && length <= 900 ? { step: "10" } : {};
}

/**
 * One panel's answer, kept fresh while it is used.
 * @param {string} id @param {Record<string, string>} [own] parameters beside the common ones
 */
export function usePanel(id, own) {
  return /** @type {Slot} */ (useSlot(id, common(own), !own));
}

/** The same of what it is compared with; null if it is not. @param {Definition} definition @param {Record<string, string>} [own] */
export function useOther({ id, kind, filters: known }, own) {
  const other = against();
  const slot = useSlot(id, other && !whyNot(other, kind, known) ? changed(other, common(own)) : null, false);
  return other && slot && { ...other, ...slot.answer.value };
}

function useSlot(id, params, isStreamed) {
  const key = params ? `${id}?${new URLSearchParams(params)}` : "";
  const slot = useMemo(() => params && slotOf(id, key, params, isStreamed), [key]);
  useEffect(() => {
    if (!slot) return;
    slot.users += 1;
    slots.set(key, slot);
    mounted.value += 1;
    // The stream brings what it follows; asking beside it would ask the store twice.
    const look = () => slot.users && !slot.answer.value.body && !(slot.isStreamed && link.value === "live") && refresh(slot);
    const timer = setTimeout(look, slot.isStreamed && isLive() && !document.hidden ? STREAM_MS : 0);
    return () => {
      clearTimeout(timer);
      slot.users -= 1;
      if (!slot.users) slots.delete(key);
      mounted.value += 1;
    };
  }, [slot]);
  return slot;
}

function slotOf(id, key, params, isStreamed) {
  const nothing = { body: null, problem: null, at_s: 0, asked_s: elapsed_s() };
  return slots.get(key) ?? { id, key, params, answer: signal(nothing), users: 0, isStreamed, busy: false };
}

/** Ask once more. @param {Slot} slot */
export async function refresh(slot) {
  if (slot.busy) return;
  slot.busy = true;
  const before = slot.answer.value;
  try {
    const body = await ask(`v1/panels/${slot.id}.json`, slot.params);
    take(slot, body);
  } catch (error) {
    slot.answer.value = { ...before, problem: /** @type {Problem} */ (error) };
  }
  slot.busy = false;
}

/** @param {Slot} slot @param {Body} body */
export function take(slot, body) {
  const before = slot.answer.value;
  if (body.state === "error" && before.body && before.body.state !== "error") {
    const problem = new Problem(0, body.error?.title ?? "error", body.error?.detail ?? "", "");
    slot.answer.value = { ...before, problem };
    return;
  }
  learnNames(body);
  slot.answer.value = { body, problem: null, at_s: elapsed_s(), asked_s: slot.answer.value.asked_s };
}

/** How many seconds old an answer's data is, by the server's watermark. @param {Answer} answer @param {number} now */
export function age_s(answer, now) {
  const told = answer.body?.provenance?.age_s;
  return told === null || told === undefined ? null : told + Math.max(0, now - answer.at_s);
}

/** Whether an answer is too old to act on. @param {Answer} answer @param {number} now @param {number | null} lost_s */
export function isStale(answer, now, lost_s) {
  if (!answer.body || !isLive()) return false;
  if (lost_s !== null && lost_s > 10) return true;
  const age = age_s(answer, now);
  const step_s = answer.body.step_s ?? 1;
  return age !== null && age > Math.max(3 * step_s, 15);
}
