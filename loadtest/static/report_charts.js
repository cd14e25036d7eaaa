// @ts-check
"use strict";
// The charts: each takes its data, a width and a place, and returns what the cursor reads at each of its stops.
// Texts are text nodes, colours come from classes; nothing here fetches or parses markup.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 240;
const TEXTURED = new Set(["throttled", "unreachable", "slow", "broken", "gave-up", "unobserved", "client"]);

/**
 * @typedef {{x: number, text: string}} Stop where the cursor may stand, and what it reads there
 * @typedef {{left: number, right: number, top: number, bottom: number}} Box
 * @typedef {{label: string, unit: string, log: boolean}} Axis
 */

/** @param {Element} parent @param {string} name @param {Record<string, string | number>} [has] @param {string} [text] */
function draw(parent, name, has = {}, text = undefined) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(has)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** A filled shape, with its texture upon it. @param {Element} parent @param {string} tone @param {Record<string, string | number>} has */
function block(parent, tone, has) {
  draw(parent, "rect", { ...has, class: `fill t-${tone}` });
  if (TEXTURED.has(tone)) draw(parent, "rect", { ...has, fill: `url(#tx-${tone})` });
}

/** A scale. @param {number} low @param {number} high @param {number} from @param {number} to @param {boolean} log */
function scale(low, high, from, to, log) {
  const of = log ? Math.log10 : Number;
  const width = of(high) - of(low) || 1;
  return (/** @type {number} */ value) => from + ((of(value) - of(low)) / width) * (to - from);
}

/** @param {number[]} values @param {Axis} axis @param {boolean} zero */
function range(values, axis, zero) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (axis.log) return [low / 1.08, high * 1.08];
  if (zero) low = Math.min(0, low);
  if (axis.unit === "ratio" && zero) return [0, 1];
  const pad = (high - low || Math.abs(high) || 1) * 0.04;
  return [zero && low === 0 ? 0 : low - pad, high + pad];
}

/** @param {Element} svg @param {Box} box @param {Axis} axis @param {number[]} ends @param {(v: number) => number} at */
function xAxis(svg, box, axis, ends, at) {
  const { at: found, step } = ticks(ends[0], ends[1], Math.max(2, (box.right - box.left) / 76), axis.log);
  for (const value of found) {
    draw(svg, "line", { x1: at(value), x2: at(value), y1: box.top, y2: box.bottom, class: "axis-line" });
    draw(svg, "text", { x: at(value), y: box.bottom + 15, class: "tick mid" }, tick(value, axis.unit, step));
  }
  draw(svg, "text", { x: (box.left + box.right) / 2, y: box.bottom + 31, class: "axis mid" }, axis.label);
}

/** @param {Element} svg @param {Box} box @param {Axis} axis @param {number[]} ends @param {(v: number) => number} at */
function yAxis(svg, box, axis, ends, at) {
  const { at: found, step } = ticks(ends[0], ends[1], 5, axis.log);
  for (const value of found) {
    draw(svg, "line", { x1: box.left, x2: box.right, y1: at(value), y2: at(value), class: "axis-line" });
    draw(svg, "text", { x: box.left - 6, y: at(value) + 4, class: "tick end" }, tick(value, axis.unit, step));
  }
  draw(svg, "text", { x: 2, y: box.top - 8, class: "axis" }, axis.label);
}

/** @param {Element} svg @param {Box} box @param {{first: number, until: number}[]} shades @param {(v: number) => number} at */
function shadesOf(svg, box, shades, at) {
  for (const one of shades) {
    const from = Math.max(box.left, at(one.first));
    const to = Math.min(box.right, at(one.until));
    if (to <= from) continue;
    draw(svg, "rect", { x: from, y: box.top, width: to - from, height: box.bottom - box.top, class: "shade" });
  }
}

/** @param {Element} svg @param {Box} box @param {{axis: string, at: number, label: string}[]} rules @param {(v: number) => number} x @param {(v: number) => number} y */
function rulesOf(svg, box, rules, x, y) {
  rules.forEach((one, k) => {
    if (one.axis === "y") {
      draw(svg, "line", { x1: box.left, x2: box.right, y1: y(one.at), y2: y(one.at), class: "rule" });
      draw(svg, "text", { x: box.right - 4, y: y(one.at) - 5, class: "tick end strong" }, one.label);
    } else {
      const at = x(one.at);
      const before = at > (box.left + box.right) / 2;
      draw(svg, "line", { x1: at, x2: at, y1: box.top, y2: box.bottom, class: "rule" });
      const place = { x: at + (before ? -5 : 5), y: box.bottom - 8 - 14 * k, class: `tick strong ${before ? "end" : ""}` };
      draw(svg, "text", place, one.label);
    }
  });
}

/** @param {any} data @param {SVGElement} svg @param {number} width @returns {Stop[]} */
function lines(data, svg, width) {
  const box = { left: 62, right: width - 24, top: 26, bottom: HEIGHT - 40 };
  const every = data.series.flatMap((/** @type {any} */ one) => one.points.filter((/** @type {any} */ p) => p[1] !== null));
  const bands = data.series.flatMap((/** @type {any} */ one) => one.band);
  const limits = (/** @type {string} */ axis) => data.rules.filter((/** @type {any} */ one) => one.axis === axis).map((/** @type {any} */ one) => one.at);
  const tops = data.series.flatMap((/** @type {any} */ one) => one.tops);
  const edges = data.shades.flatMap((/** @type {any} */ one) => [one.first, one.until]);
  const xs = [...every.map((/** @type {any} */ p) => p[0]), ...tops, ...limits("x"), ...edges];
  const ys = [...every.map((/** @type {any} */ p) => p[1]), ...bands.flatMap((/** @type {any} */ b) => [b[1], b[2]]), ...limits("y")];
  const xEnds = range(xs, data.x, data.x.unit === "s" && !data.x.log && edges.length > 0);
  const isCloud = data.series.some((/** @type {any} */ one) => one.mark === "dots"); // from 0 on nothing would be seen of it
  const isLevel = isCloud && Math.min(...ys) > 0.4 * Math.max(...ys);
  const yEnds = range(ys.length ? ys : [0, 1], data.y, !data.y.log && !isLevel);
  if (tops.length) yEnds[1] += (yEnds[1] - yEnds[0]) * 0.1;
  const x = scale(xEnds[0], xEnds[1], box.left, box.right, data.x.log);
  const y = scale(yEnds[0], yEnds[1], box.bottom, box.top, data.y.log);
  shadesOf(svg, box, data.shades, x);
  xAxis(svg, box, data.x, xEnds, x);
  yAxis(svg, box, data.y, yEnds, y);
  for (const one of data.series) series(svg, one, x, y, box);
  rulesOf(svg, box, data.rules, x, y);
  const form = [FORMATS[data.x.unit], FORMATS[data.y.unit]];
  const shown = data.series.filter((/** @type {any} */ one) => one.mark !== "dots" || data.series.length === 1);
  const stops = [...new Set(shown.flatMap((/** @type {any} */ one) => one.points.map((/** @type {any} */ p) => p[0])))].sort((a, b) => a - b);
  return stops.map((at) => ({ x: x(at), text: `${form[0](at)}: ${reads(shown, at, form[1]).join(", ")}` }));
}

/** @param {any[]} shown @param {number} at @param {(v: number) => string} form */
function reads(shown, at, form) {
  return shown.map((one) => {
    const found = one.mark === "step" ? one.points.filter((/** @type {any} */ p) => p[0] <= at).at(-1) : one.points.find((/** @type {any} */ p) => p[0] === at);
    return `${one.name} ${found && found[1] !== null ? form(found[1]) : "n/a"}`;
  });
}

/** @param {Element} svg @param {any} one @param {(v: number) => number} x @param {(v: number) => number} y @param {Box} box */
function series(svg, one, x, y, box) {
  const tone = `t-${one.tone}`;
  if (one.band.length) {
    const up = one.band.map((/** @type {any} */ b) => `${x(b[0])},${y(b[2])}`);
    const down = one.band.map((/** @type {any} */ b) => `${x(b[0])},${y(b[1])}`).reverse();
    draw(svg, "polygon", { points: [...up, ...down].join(" "), class: `band ${tone}` });
  }
  if (one.mark === "dots") {
    const group = draw(svg, "g", { class: `dots ${tone}` });
    for (const [at, value] of one.points) draw(group, "circle", { cx: x(at).toFixed(1), cy: y(value).toFixed(1), r: 1.8 });
  } else {
    draw(svg, "path", { d: path(one, x, y), class: `line ${tone}${one.dashed ? " dashed" : ""}` });
    if (one.mark === "pointed") for (const [at, value] of one.points) if (value !== null) draw(svg, "circle", { cx: x(at), cy: y(value), r: 4, class: `fill ${tone}` });
  }
  for (const at of one.tops) draw(svg, "path", { d: `M${x(at).toFixed(1)} ${box.top}l-3 7h6z`, class: "fill t-bad" });
}

/** @param {any} one @param {(v: number) => number} x @param {(v: number) => number} y */
function path(one, x, y) {
  let d = "";
  let open = false;
  for (const [at, value] of one.points) {
    if (value === null) {
      open = false;
      continue;
    }
    const [px, py] = [x(at).toFixed(1), y(value).toFixed(1)];
    d += !open ? `M${px} ${py}` : one.mark === "step" ? `H${px}V${py}` : `L${px} ${py}`;
    open = true;
  }
  return d;
}

/** @param {any} data @param {SVGElement} svg @param {number} width @returns {Stop[]} */
function stack(data, svg, width) {
  const box = { left: 62, right: width - 24, top: 26, bottom: HEIGHT - 40 };
  const n = data.layers[0].values.length;
  const sums = Array.from({ length: n }, (_, k) => data.layers.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.values[k], 0));
  const xEnds = [data.first, data.first + n * data.width];
  const yEnds = [0, Math.max(1, ...sums) * 1.05];
  const x = scale(xEnds[0], xEnds[1], box.left, box.right, false);
  const y = scale(yEnds[0], yEnds[1], box.bottom, box.top, false);
  shadesOf(svg, box, data.shades, x);
  xAxis(svg, box, data.x, xEnds, x);
  yAxis(svg, box, data.y, yEnds, y);
  const wide = Math.max(0.5, x(data.first + data.width) - x(data.first) - 1);
  return sums.map((_, k) => {
    let below = 0;
    for (const one of data.layers) {
      if (!one.values[k]) continue;
      const top = y(below + one.values[k]);
      block(svg, one.tone, { x: x(data.first + k * data.width), y: top, width: wide, height: Math.max(0.5, y(below) - top) });
      below += one.values[k];
    }
    const told = data.layers.filter((/** @type {any} */ one) => one.values[k]).map((/** @type {any} */ one) => `${one.name} ${number(one.values[k])}`);
    const from = data.first + k * data.width;
    return { x: x(from + data.width / 2), text: `${duration(from)}: ${told.join(", ") || "none"}` };
  });
}
