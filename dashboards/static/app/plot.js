// @ts-check
// Knows how lines over time are told to uPlot, stacks too. Source: uPlot demos/stacked-series.html.

import uPlot from "uplot";
import { tick as tickText } from "./format.js";
import { pattern } from "./pattern.js";
import { name } from "./text.js";
import { clock, isUtc, when } from "./time.js";

/**
 * @typedef {import("./series.js").Series} Series
 * @typedef {{times: number[], series: Series[], unit: string, isStacked: boolean, label: string, from_s: number, to_s: number,
 *   limit?: number | null, blind?: {start: number, end: number}[], adjusted?: {start: number, end: number}[], marks?: {at: number, text: string}[], size?: "tall" | "short" | "",
 *   onBand: (one: Series, at: number) => void, onCursor: (at: number | null) => void, onRange: (from_s: number, to_s: number, isBeside: boolean) => void, reading: string, isSampled?: boolean}} Props
 */

/** Longest time between two looks. */
const SAMPLED_S = 65;
const TONES = ["a", "b", "d", "c", "e", "f", "muted", "excluded"];
const HEIGHTS = { tall: 240, short: 90, "": 150 };
/** How every axis is written. */
export const AXIS = { font: "12px system-ui, sans-serif", ticks: { show: false } };

/** @param {string} name */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @param {{group?: string | null, place: number}} one */
export function tone({ group, place }) {
  return { gave_up: "gave-up", unobserved: "muted" }[group ?? ""] ?? group ?? TONES[place % TONES.length];
}

/** Values as they are drawn. */
function drawn({ series, isStacked, unit }) {
  const sum = /** @type {(number | null)[]} */ ([]);
  return series.map((one) => isStacked && one.unit === unit
    ? one.values.map((value, at) => (sum[at] = value === null ? (sum[at] ?? null) : (sum[at] ?? 0) + value)) : one.values);
}

function bounded({ series, isStacked }) {
  return isStacked ? [] : series.filter((one) => one.low && one.high);
}

/** @param {Props} props @returns {uPlot.AlignedData} */
export function data(props) {
  const before = props.series.flatMap((one) => (one.before ? [one.before] : []));
  return /** @type {any} */ ([props.times, ...drawn(props), ...bounded(props).flatMap((one) => [one.low, one.high]), ...before]);
}

function units({ series, unit }) {
  return [...new Set([unit, ...series.map((one) => one.unit)])];
}

/** What decides whether the same chart can go on with other numbers. @param {Props} props */
export function shape({ series, isStacked, unit, size }) {
  return JSON.stringify([series.map((one) => [one.name, Boolean(one.low), Boolean(one.before)]), isStacked, unit, size, isUtc.value]);
}

/** @param {Props} props @param {{current: Props}} latest @param {number} width @returns {uPlot.Options} */
export function options(props, latest, width) {
  const { series, unit, isStacked } = props;
  const [soft, grid] = [colour("soft"), colour("grid")];
  const all = units(props);
  const looks = props.isSampled ? { gaps } : {};
  const thin = (/** @type {Series} */ one, /** @type {Partial<uPlot.Series>} */ more) => ({ scale: `y${all.indexOf(one.unit)}`, points: { show: false }, ...more });
  const piled = series.flatMap((one, at) => (one.unit === unit ? [at] : []));
  const first = 1 + series.length;
  return {
    width,
    height: HEIGHTS[props.size ?? ""],
    padding: [8, 8, 0, 0],
    legend: { show: false },
    tzDate: (at) => (isUtc.value ? uPlot.tzDate(new Date(at * 1e3), "Etc/UTC") : new Date(at * 1e3)),
    cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false }, y: false, points: { size: 6 } },
    scales: { x: { time: true, range: () => [latest.current.from_s, latest.current.to_s] }, ...scales(all, latest) },
    axes: [
      { ...AXIS, stroke: soft, grid: { show: false }, ticks: { stroke: grid, size: 4 }, size: 26, space: 70, values: (_, at) => at.map(shortTime) },
      ...all.slice(0, 2).map((of, at) => side(of, at, soft, grid)),
    ],
    series: [
      {},
      ...series.map((one, at) => ({ ...line(one, all, isStacked && one.unit === unit, at === 0), ...looks })),
      ...bounded(props).flatMap((one) => Array(2).fill(thin(one, { stroke: "transparent", width: 0 }))),
      ...series.flatMap((one) => (one.before ? [thin(one, { stroke: soft, width: 1.2, dash: [3, 3], ...looks })] : [])),
    ],
    bands: isStacked
      ? piled.slice(1).map((place, at) => ({ series: /** @type {[number, number]} */ ([place + 1, piled[at] + 1]), fill: fill(series[place]) }))
      : bounded(props).map((one, at) => ({ series: /** @type {[number, number]} */ ([first + 2 * at + 1, first + 2 * at]), fill: `${colour(tone(one))}33` })),
    hooks: {
      ready: [(u) => pressed(u, latest)],
      setCursor: [(u) => latest.current.onCursor(u.cursor.idx ?? null)],
      setSelect: [(u) => selected(u, latest.current)],
      drawClear: [(u) => under(u, latest.current)],
      draw: [(u) => over(u, latest.current)],
    },
  };
}

function shortTime(at) {
  const text = clock(at);
  return text.endsWith(":00") ? (text === "00:00:00" ? when(at).split(",")[0] : text.slice(0, 5)) : text;
}

function scales(all, latest) {
  /** @type {(unit: string, at: number) => uPlot.Range.Function} */
  const range = (unit, at) => (_, low, high) => reach({ ...latest.current, unit, limit: at ? null : latest.current.limit }, low, high);
  return Object.fromEntries(all.map((unit, at) => [`y${at}`, { range: range(unit, at) }]));
}

function side(unit, at, soft, grid) {
  return {
    ...AXIS, scale: `y${at}`, side: at ? 1 : 3, stroke: soft, grid: { show: !at, stroke: grid, width: 1 }, space: 32, gap: 4,
    size: (_, values) => 14 + 7 * Math.max(3, ...(values ?? []).map((one) => one?.length ?? 0)),
    values: (_, places, _axis, _space, step) => places.map((value) => tickText(value, unit, step)),
  };
}

/** @type {uPlot.Series.GapsRefiner} */
const gaps = (u, _series, _from, _to, all) => all.filter(([from, to]) => u.posToVal(to, "x", true) - u.posToVal(from, "x", true) > SAMPLED_S);

function line(one, all, isPiled, isFirst) {
  return {
    scale: `y${all.indexOf(one.unit)}`,
    label: one.name,
    stroke: colour(tone(one)),
    width: isPiled ? 1 : 1.6,
    dash: one.isDashed ? [6, 3] : undefined,
    fill: isPiled && isFirst ? fill(one) : undefined,
    points: { show: (u, number, low, high) => !isPiled && u.data[number].slice(low, high + 1).filter((value) => value !== null).length < 40, size: 4 },
  };
}

function fill(one) {
  return (/** @type {uPlot} */ u) => pattern(u.ctx, one.group, colour(tone(one)));
}

function reach({ unit, limit, isStacked }, low, high) {
  const top = Math.max(high ?? 0, isStacked ? 0 : (limit ?? 0));
  if (unit === "ratio" && typeof limit === "number" && low !== null && low > 0.8) return [Math.max(0, low - (1 - low) * 0.3 - 0.001), 1];
  return top > 0 ? [Math.min(0, low ?? 0), unit === "ratio" ? Math.min(Math.max(1, top), top * 1.12) : top * 1.12] : [0, unit === "ratio" ? 0.01 : 1];
}

/** Nobody looked, or it counts less: hatched, striped. */
function under(u, { blind = [], adjusted = [] }) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [group, times] of Object.entries({ unobserved: blind, excluded: adjusted })) {
    ctx.fillStyle = pattern(ctx, group, colour(tone({ group, place: 0 })));
    for (const { start, end } of times) {
      const x = u.valToPos(start, "x", true);
      ctx.fillRect(x, bbox.top, u.valToPos(end, "x", true) - x, bbox.height);
    }
  }
  ctx.restore();
}

/** The limit, what happened, and what fails. */
function over(u, { limit, marks, times, series }) {
  const { ctx, bbox } = u;
  const scale = devicePixelRatio;
  ctx.save();
  if (typeof limit === "number") {
    const y = Math.round(u.valToPos(limit, "y0", true));
    ctx.strokeStyle = colour("bad");
    ctx.setLineDash([7 * scale, 4 * scale]);
    ctx.lineWidth = scale;
    ctx.stroke(new Path2D(`M${bbox.left} ${y}h${bbox.width}`));
  }
  ctx.setLineDash([2 * scale, 2 * scale]);
  ctx.strokeStyle = ctx.fillStyle = colour("text");
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  for (const { at, text } of marks ?? []) {
    const x = Math.round(u.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.stroke(new Path2D(`M${x} ${bbox.top}v${bbox.height}`));
    ctx.fillText(name(text), x + 4 * scale, bbox.top + 11 * scale);
  }
  for (const one of series) {
    ctx.fillStyle = colour(tone(one));
    for (const slot of one.fails) ctx.fillRect(u.valToPos(times[slot], "x", true) - 2 * scale, bbox.top, 4 * scale, 5 * scale);
  }
  ctx.restore();
}

/** Whose drag it is: charts that follow the cursor are told of it, too. */
let held = { u: /** @type {unknown} */ (null), isBeside: false };

/** Where a drag begins, and a click on a band of the stack. */
function pressed(u, latest) {
  let start = 0;
  u.over.addEventListener("mousedown", (event) => {
    start = event.offsetX;
    held = { u, isBeside: event.shiftKey };
  });
  u.over.addEventListener("click", (event) => {
    const { series, unit, isStacked, onBand } = latest.current;
    const [at, y] = [u.cursor.idx, u.posToVal(event.offsetY, "y0")];
    if (!isStacked || typeof at !== "number" || Math.abs(event.offsetX - start) > 3) return;
    const tops = drawn(latest.current);
    const band = series.find((one, place) => one.unit === unit && one.values[at] && y <= (tops[place][at] ?? 0));
    if (band) onBand(band, at);
  });
}

function selected(u, { onRange }) {
  if (u.select.width < 6) return;
  const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (held.u === u) onRange(Math.floor(from), Math.ceil(to), held.isBeside);
}
