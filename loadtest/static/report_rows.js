// @ts-check
"use strict";
// Charts whose parts lie below each other: bars, lanes, intervals. The cursor goes from row to row.

/** @typedef {{y: number, text: string}} Row where the cursor may stand, and what it reads there */

/** Room for the labels. @param {string[]} labels @param {number} width */
function labelRoom(labels, width) {
  return Math.min(width * 0.36, 14 + 6.6 * Math.max(...labels.map((label) => label.length)));
}

/** @param {string} label @param {number} room */
function fitted(label, room) {
  const most = Math.max(4, Math.floor((room - 10) / 6.4));
  return label.length > most ? `${label.slice(0, most - 1)}…` : label;
}

/** @param {any} data @param {SVGElement} svg @param {number} width @returns {Row[]} */
function bars(data, svg, width) {
  const high = 34;
  const room = labelRoom(data.bars, width);
  const box = { left: room, right: width - 26, top: 8, bottom: 8 + high * data.bars.length };
  const sums = data.bars.map((/** @type {any} */ _, /** @type {number} */ k) => data.layers.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.values[k], 0));
  const ends = [0, Math.max(...sums) * 1.05 || 1];
  const x = scale(ends[0], ends[1], box.left, box.right, false);
  xAxis(svg, box, data.x, ends, x);
  svg.setAttribute("height", String(box.bottom + 40));
  const form = FORMATS[data.x.unit];
  return data.bars.map((/** @type {string} */ name, /** @type {number} */ k) => {
    const y = box.top + k * high;
    draw(svg, "text", { x: room - 8, y: y + 21, class: "tick end" }, fitted(name, room));
    let from = 0;
    for (const one of data.layers) {
      block(svg, one.tone, { x: x(from), y: y + 5, width: Math.max(0, x(from + one.values[k]) - x(from)), height: high - 12 });
      from += one.values[k];
    }
    const told = data.layers.map((/** @type {any} */ one) => `${one.name} ${form(one.values[k])}`).join(", ");
    return { y: y + high / 2, text: `${name}, ${form(sums[k])}: ${told}` };
  });
}

/** @param {any} data @param {SVGElement} svg @param {number} width @returns {Row[]} */
function lanes(data, svg, width) {
  const high = 14;
  const room = labelRoom(data.lanes.map((/** @type {any} */ one) => one.label), width);
  const box = { left: room, right: width - 26, top: 6, bottom: 6 + high * data.lanes.length };
  const edges = data.lanes.flatMap((/** @type {any} */ one) => one.stages.flatMap((/** @type {any} */ stage) => [stage[1], stage[2]]));
  const ends = range(edges, data.x, false);
  const x = scale(ends[0], ends[1], box.left, box.right, false);
  xAxis(svg, box, data.x, ends, x);
  svg.setAttribute("height", String(box.bottom + 40));
  const tones = Object.fromEntries(data.stages);
  return data.lanes.map((/** @type {any} */ one, /** @type {number} */ k) => {
    const y = box.top + k * high;
    draw(svg, "text", { x: room - 8, y: y + 11, class: "tick end small" }, one.label);
    for (const [name, from, to] of one.stages) {
      block(svg, tones[name], { x: x(from), y: y + 2, width: Math.max(0, x(to) - x(from)), height: high - 4 });
    }
    const last = one.stages.at(-1)[2];
    if (one.tone !== "good") draw(svg, "path", { d: `M${x(last) - 4} ${y + 3}l8 8m0 -8l-8 8`, class: "line t-bad" });
    const told = one.stages.map((/** @type {any} */ stage) => `${stage[0]} ${duration(stage[2] - stage[1])}`).join(", ");
    return { y: y + high / 2, text: `${one.label} at ${duration(one.stages[0][1])}: ${told}; ended ${one.ended}` };
  });
}

/** @param {any} data @param {SVGElement} svg @param {number} width @returns {Row[]} */
function intervals(data, svg, width) {
  const high = 30;
  const room = labelRoom(data.rows.map((/** @type {any} */ one) => one.label), width);
  const box = { left: room, right: width - 26, top: 22, bottom: 22 + high * data.rows.length };
  const known = data.rows.flatMap((/** @type {any} */ one) => [one.low, one.value, one.high, one.margin]).filter((/** @type {any} */ v) => v !== null);
  let ends = range([...known, ...data.rules.map((/** @type {any} */ one) => one.at)], data.x, false);
  if (data.x.unit === "ratio") ends = [Math.max(0, ends[0]), Math.min(1, ends[1])];
  const x = scale(ends[0], ends[1], box.left, box.right, false);
  xAxis(svg, box, data.x, ends, x);
  svg.setAttribute("height", String(box.bottom + 40));
  const form = FORMATS[data.x.unit];
  for (const rule of data.rules) {
    draw(svg, "line", { x1: x(rule.at), x2: x(rule.at), y1: box.top, y2: box.bottom, class: "rule" });
    const side = x(rule.at) > (box.left + box.right) / 2 ? "end" : "";
    draw(svg, "text", { x: x(rule.at), y: box.top - 8, class: `tick strong ${side}` }, rule.label);
  }
  return data.rows.map((/** @type {any} */ one, /** @type {number} */ k) => {
    const y = box.top + k * high + high / 2;
    draw(svg, "text", { x: room - 8, y: y + 4, class: "tick end" }, fitted(one.label, room));
    if (one.low !== null && one.high !== null) {
      draw(svg, "line", { x1: x(one.low), x2: x(one.high), y1: y, y2: y, class: `whisker t-${one.tone}` });
      for (const end of [one.low, one.high]) draw(svg, "line", { x1: x(end), x2: x(end), y1: y - 6, y2: y + 6, class: `whisker t-${one.tone}` });
    }
    if (one.margin !== null) draw(svg, "line", { x1: x(one.margin), x2: x(one.margin), y1: y - 12, y2: y + 12, class: "rule" });
    if (one.value !== null) draw(svg, "circle", { cx: x(one.value), cy: y, r: 5, class: `fill t-${one.tone}` });
    else draw(svg, "text", { x: box.left + 6, y: y + 4, class: "tick" }, one.words);
    const told = [one.low, one.value, one.high].map((value) => (value === null ? "n/a" : form(value)));
    return { y, text: `${one.label}: ${told[1]}, 95 % interval ${told[0]} to ${told[2]}; ${one.words}` };
  });
}
