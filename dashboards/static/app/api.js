// @ts-check
// Knows how the API is asked; refuses to know what its answers mean.

import { learn } from "./time.js";
import { API } from "./url.js";

const ANSWER_MS_MAX = 20_000;

/** What the API says instead of an answer. */
export class Problem extends Error {
  /** @param {number} status @param {string} title @param {string} detail @param {string} request */
  constructor(status, title, detail, request) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.request = request;
  }
}

/** @typedef {Record<string, string | string[] | undefined>} Query */

/** @param {string} path @param {Query} [query] */
export function address(path, query = {}) {
  const url = new URL(path, API);
  for (const [key, value] of Object.entries(query)) for (const one of [value ?? []].flat()) if (one) url.searchParams.append(key, one);
  return url;
}

/**
 * @param {string} path @param {Query} [query]
 * @param {{method?: string, body?: unknown}} [how]
 * @returns {Promise<any>}
 */
export async function ask(path, query = {}, { method = "GET", body } = {}) {
  const url = address(path, query);
  const sent = method === "GET" ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) };
  const response = await fetch(url, { method, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS_MAX), ...sent }).catch(() => {
    throw new Problem(0, "no answer", "the server does not answer", "");
  });
  learn(response);
  const told = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return told;
  const request = response.headers.get("X-Request-Id") ?? String(told?.instance ?? url.pathname);
  throw new Problem(response.status, String(told?.title ?? response.statusText), String(told?.detail ?? ""), request);
}
