// @ts-check
// Knows lines that are not over time; a point is x, y and, where it is known, the ends of its interval.

import uPlot from "uplot";
import { usePlot } from "./chart.js";
import { html } from "./dom.js";
import { figure, tick } from "./format.js";
import { AXIS, colour, tone } from "./plot.js";

/**
 * @typedef {{name: string, points: (number | null)[][], isDashed?: boolean, tone?: number, isAlone?: boolean}} Line
 * @typedef {{lines: Line[], x: string, y: string, isLog?: boolean, label: string, hasDiagonal?: boolean, marks?: number[], size?: string}} Props units of x and y; rates that are marked
 * @param {Props} props
 */
export function Xy(props) {
  const { lines, label } = props;
  const { place } = usePlot((width, element) => new uPlot(options(props, width), data(props), element), JSON.stringify([lines, props.marks]));
  const said = lines.map((one) => `${one.name}: ${one.points.length} points, up to ${figure(Math.max(...one.points.map(([, y]) => y ?? 0)), props.y)}`).join("; ");
  return html`<ul class="legend">${lines.map((one, at) => html`<li><span class=${`swatch ${one.isDashed ? "dashed" : ""}`} style=${{ "--tone": `var(--${toneOf(one, at)})` }}></span><span class="name">${one.name}</span></li>`)}</ul>
    <div class=${`stage ${props.size ?? "tall"}`} ref=${place} role="img" aria-label=${`${label}. ${said}`}></div>`;
}

function toneOf(one, at) {
  return tone({ place: one.tone ?? at });
}

function data({ lines, hasDiagonal }) {
  const xs = [...new Set(lines.flatMap((one) => one.points.map(([x]) => x ?? 0)))].sort((a, b) => a - b);
  const found = lines.map((one) => {
    const at = new Map(one.points.map(([x, y]) => [x, y]));
    return xs.map((x) => at.get(x) ?? null);
  });
  return /** @type {any} */ ([xs, ...found, ...(hasDiagonal ? [xs] : [])]);
}

/** Intervals, and what is marked. */
function over({ ctx, bbox, valToPos }, { lines, marks }) {
  const line = (/** @type {number} */ x0, /** @type {number} */ y0, /** @type {number} */ y1, /** @type {string} */ stroke, /** @type {number[]} */ dash) => {
    Object.assign(ctx, { strokeStyle: stroke, lineWidth: devicePixelRatio });
    ctx.setLineDash(dash.map((one) => one * devicePixelRatio));
    ctx.stroke(new Path2D(`M${x0} ${y0}V${y1}`));
  };
  ctx.save();
  lines.forEach((one, at) => one.points.forEach(([x, , low, high]) => {
    if (typeof low === "number") line(valToPos(x ?? 0, "x", true), valToPos(low, "y", true), typeof high === "number" ? valToPos(high, "y", true) : bbox.top, colour(toneOf(one, at)), []);
  }));
  for (const x of marks ?? []) line(valToPos(x, "x", true), bbox.top, bbox.top + bbox.height, colour("text"), [2, 2]);
  ctx.restore();
}

function options(props, width) {
  const { lines, x, y, isLog, hasDiagonal, size } = props;
  const top = Math.max(...lines.flatMap((one) => one.points.map(([, value, , high]) => high ?? value ?? 0)));
  const soft = colour("soft");
  /** @type {(unit: string) => uPlot.Axis} */
  const axis = (unit) => ({
    ...AXIS, stroke: soft, grid: { stroke: colour("grid"), width: 1 },
    values: (_, places, _axis, _space, step) => places.map((value) => (value === null ? "" : tick(value, unit, step))),
  });
  return {
    width, height: size === "" ? 150 : 240, padding: [8, 14, 0, 0], legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false, ...(isLog ? { distr: 3 } : { range: (_, _low, high) => [0, high * 1.05] }) }, y: { range: () => [0, y === "ratio" ? 1 : top * 1.1] } },
    axes: [{ ...axis(x), size: 26, space: 60 }, { ...axis(y), size: 52, space: 34 }],
    series: [
      {},
      ...lines.map((one, at) => ({ label: one.name, stroke: colour(toneOf(one, at)), width: 1.8, dash: one.isDashed ? [6, 3] : undefined, spanGaps: true, points: { show: one.points.length < 40, size: one.isAlone ? 11 : 5, fill: one.isAlone ? colour(toneOf(one, at)) : undefined } })),
      ...(hasDiagonal ? [{ label: "all good", stroke: soft, width: 1, dash: [2, 3], spanGaps: true, points: { show: false } }] : []),
    ],
    hooks: { draw: [(u) => over(u, props)] },
  };
}
