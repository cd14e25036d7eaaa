// @ts-check
"use strict";
// Builds the page from the data beside it: first line, facts, panels with chart and table, keys. Text nodes only.

const BRIEF = 40; // letters that stay on one line

/** @type {Record<string, (data: any, svg: SVGElement, width: number) => any[]>} */
const CHARTS = { lines, stack, bars, lanes, intervals };

/** @param {Element} parent @param {string} name @param {string} [text] @param {Record<string, string>} [has] */
function add(parent, name, text = undefined, has = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(has)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

/** @param {Element} parent @param {any} sheet */
function head(parent, sheet) {
  const header = add(parent, "header");
  const first = add(header, "p", undefined, { class: "signs" });
  for (const sign of sheet.signs) {
    const one = add(first, "span", undefined, { class: `sign t-${sign.tone}`, "data-sign": sign.name });
    add(one, "span", `${sign.name} `);
    add(one, "strong", sign.word);
  }
  add(header, "h1", sheet.title);
  for (const sign of sheet.signs) if (sign.why) add(header, "p", `${sign.name}: ${sign.why}`, { class: "why" });
  for (const note of sheet.notes) add(header, "p", note, { class: "warning" });
  if (!sheet.facts.length) return;
  const facts = add(header, "dl", undefined, { class: "facts" });
  for (const [name, value] of sheet.facts) {
    const pair = add(facts, "div");
    add(pair, "dt", name);
    add(pair, "dd", value);
  }
}

/** @param {Element} parent @param {any} panel */
function panelOf(parent, panel) {
  const figure = add(parent, "figure", undefined, {
    id: panel.id, class: `panel${panel.is_wide ? " wide" : ""}`, "data-panel": panel.id, "aria-labelledby": `${panel.id}-title`,
  });
  const top = add(figure, "div", undefined, { class: "top" });
  add(top, "h3", panel.title, { id: `${panel.id}-title` });
  if (panel.says) add(figure, "p", panel.says, { class: "says" });
  if (panel.copy) copied(figure, panel.copy);
  const place = panel.chart ? add(figure, "div", undefined, { class: "chart" }) : null;
  const table = panel.table ? tableOf(figure, panel) : null;
  if (panel.chart && !panel.table?.rows.length && table) table.remove();
  if (place) chartOf(place, panel);
  else if (!panel.table?.rows.length && !panel.copy && !panel.says) add(figure, "p", "Nothing to show.", { class: "empty" });
  if (place && table) toggled(top, place, table, panel.title);
  for (const note of panel.notes) add(figure, "p", note, { class: "note" });
}

/** @param {Element} parent @param {any} panel */
function tableOf(parent, panel) {
  const has = { class: "table", tabindex: "0", role: "region", "aria-label": `${panel.title}: table` };
  const holder = add(parent, "div", undefined, has);
  const table = add(holder, "table");
  const right = new Set(panel.table.figures);
  const row = add(add(table, "thead"), "tr");
  panel.table.columns.forEach((/** @type {string} */ name, /** @type {number} */ k) =>
    add(row, name ? "th" : "td", name, right.has(k) ? { class: "figure", ...(name ? { scope: "col" } : {}) } : name ? { scope: "col" } : {}));
  const body = add(table, "tbody");
  panel.table.rows.forEach((/** @type {string[]} */ cells, /** @type {number} */ at) => {
    const line = add(body, "tr");
    cells.forEach((text, k) => {
      const cell = add(line, k ? "td" : "th", undefined, k ? {} : { scope: "row" });
      if (right.has(k)) cell.classList.add("figure");
      if (text.length <= BRIEF) cell.classList.add("brief");
      const hint = panel.table.hints[`${at}:${k}`];
      if (hint) hinted(cell, text, hint);
      else cell.textContent = text;
    });
  });
  return holder;
}

/** A figure that says how it was measured when it is pointed at, or reached by keyboard. @param {Element} cell @param {string} text @param {string} hint */
function hinted(cell, text, hint) {
  const button = add(cell, "button", text, { type: "button", class: "hint", "aria-label": `${text}. ${hint}` });
  const tell = () => { document.getElementById("told").textContent = hint; };
  button.addEventListener("focus", tell);
  button.addEventListener("pointerenter", tell);
  for (const gone of ["blur", "pointerleave"]) button.addEventListener(gone, () => { document.getElementById("told").textContent = ""; });
}

/** @param {Element} top @param {HTMLElement} place @param {HTMLElement} table @param {string} title */
function toggled(top, place, table, title) {
  const button = add(top, "button", "Table", { type: "button", class: "view", "aria-pressed": "false", "aria-label": `Table: ${title}` });
  table.hidden = true;
  button.addEventListener("click", () => {
    table.hidden = !table.hidden;
    place.hidden = !table.hidden;
    button.setAttribute("aria-pressed", String(!table.hidden));
    if (!place.hidden) place.dispatchEvent(new Event("shown"));
  });
}

/** @param {Element} parent @param {string} text */
function copied(parent, text) {
  const row = add(parent, "div", undefined, { class: "copy" });
  add(row, "code", text, { tabindex: "0" });
  const button = add(row, "button", "Copy", { type: "button" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(row.firstElementChild);
      button.textContent = "Selected: press Ctrl-C";
    }
  });
}

/** @param {HTMLElement} place @param {any} panel */
function chartOf(place, panel) {
  legend(place, panel.chart);
  const stage = add(place, "div", undefined, {
    class: "stage", tabindex: "0", role: "group", "aria-label": `${panel.title}, chart: arrow keys read its values`,
  });
  const told = add(place, "output", "\u00a0", { class: "read" });
  let width = 0;
  const again = () => {
    if (!place.clientWidth || place.clientWidth === width) return;
    width = place.clientWidth;
    stage.replaceChildren();
    const svg = /** @type {SVGElement} */ (draw(stage, "svg", { width, height: HEIGHT, role: "img", "aria-label": `${panel.title}. ${panel.says}` }));
    walked(stage, svg, told, CHARTS[panel.chart.kind](panel.chart, svg, width));
    svg.setAttribute("viewBox", `0 0 ${width} ${svg.getAttribute("height")}`); // narrower on paper
  };
  new ResizeObserver(again).observe(place);
  place.addEventListener("shown", again);
  again();
}

/** @param {Element} place @param {any} chart */
function legend(place, chart) {
  const names = chart.series?.map((/** @type {any} */ one) => [one.name, one.tone]) ?? chart.stages
    ?? chart.layers?.map((/** @type {any} */ one) => [one.name, one.tone]) ?? [];
  if (chart.series?.some((/** @type {any} */ one) => one.tops.length)) names.push(["failed", "bad"]);
  const apart = (chart.shades ?? []).map((/** @type {any} */ one) => one.label);
  if (names.length < 2 && chart.kind !== "stack" && !apart.length) return;
  const list = add(place, "ul", undefined, { class: "legend" });
  for (const [name, tone] of names) {
    const item = add(list, "li");
    const svg = draw(item, "svg", { width: 12, height: 12, "aria-hidden": "true" });
    block(svg, tone, { x: 0, y: 0, width: 12, height: 12 });
    add(item, "span", name);
  }
  for (const label of apart) {
    const item = add(list, "li");
    draw(draw(item, "svg", { width: 12, height: 12, "aria-hidden": "true" }), "rect", { width: 12, height: 12, class: "shade rimmed" });
    add(item, "span", label);
  }
}

/** Let pointer and arrows read the stops of a chart. @param {HTMLElement} stage @param {SVGElement} svg @param {Element} told @param {any[]} stops */
function walked(stage, svg, told, stops) {
  if (!stops.length) return;
  const lies = "y" in stops[0];
  const height = Number(svg.getAttribute("height"));
  const width = Number(svg.getAttribute("width"));
  const cursor = draw(svg, "line", { class: "cursor", visibility: "hidden" });
  let at = -1;
  const go = (/** @type {number} */ to) => {
    at = Math.min(Math.max(to, 0), stops.length - 1);
    const [x, y] = [stops[at].x, stops[at].y];
    const ends = lies ? { x1: 0, x2: width, y1: y, y2: y } : { x1: x, x2: x, y1: 20, y2: height - 40 };
    for (const [key, value] of Object.entries(ends)) cursor.setAttribute(key, String(value));
    cursor.setAttribute("visibility", "visible");
    told.textContent = stops[at].text;
  };
  /** @type {Record<string, () => number>} */
  const keys = { ArrowRight: () => at + 1, ArrowDown: () => at + 1, ArrowLeft: () => at - 1, ArrowUp: () => at - 1, Home: () => 0, End: () => stops.length - 1 };
  stage.onkeydown = (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    go(keys[event.key]());
  };
  stage.onpointermove = (event) => {
    const from = svg.getBoundingClientRect();
    const here = lies ? event.clientY - from.top : event.clientX - from.left;
    const away = (/** @type {any} */ stop) => Math.abs((lies ? stop.y : stop.x) - here);
    go(stops.reduce((best, stop, k) => (away(stop) < away(stops[best]) ? k : best), 0));
  };
}

/** Textures, once for all charts: outcome groups differ by more than colour. @param {Element} parent */
function textures(parent) {
  const svg = draw(parent, "svg", { width: 0, height: 0, class: "defs", "aria-hidden": "true" });
  const shapes = {
    throttled: "M2 2h2v2h-2z", unreachable: "M2 0v6", slow: "M-1 7L7 -1", broken: "M0 0L6 6M6 0L0 6",
    "gave-up": "M3 1a2 2 0 1 0 .01 0z", unobserved: "M-1 7L7 -1", client: "M0 3h6",
  };
  for (const [tone, d] of Object.entries(shapes)) {
    const made = draw(svg, "pattern", { id: `tx-${tone}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" });
    draw(made, "path", { d, class: "texture" });
  }
}

/** @param {any} sheet */
function page(sheet) {
  const main = document.getElementById("report");
  textures(document.body);
  head(main, sheet);
  for (const section of sheet.sections) {
    const part = add(main, "section");
    add(part, "h2", section.title);
    const grid = add(part, "div", undefined, { class: "cards" });
    for (const panel of section.panels) panelOf(grid, panel);
  }
  add(document.body, "output", "", { id: "told" });
}

page(JSON.parse(document.getElementById("data").textContent));
