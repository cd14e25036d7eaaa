// @ts-check
// Knows the heat map of time and latency.

import { html, useEffect, useRef, useState } from "./dom.js";
import { figure, number } from "./format.js";
import { AXIS, colour } from "./plot.js";
import { columns } from "./series.js";
import { themeName } from "./theme.js";
import { clock } from "./time.js";

const LEFT = 62;
const BOTTOM = 24;
const HEIGHT = 240;
const STEPS_MAX = 2000;

/**
 * @typedef {[number, number]} At place of a cell: which step, which band
 * @typedef {{times: number[], lows: number[], highs: Map<number, number>, counts: Map<string, number>, most: number, step_s: number}} Grid
 */

/** @param {import("./series.js").Body} body @param {import("./series.js").Definition} definition @returns {Grid} */
export function grid(body, definition) {
  const at = Object.fromEntries(columns(body, definition).map((one, place) => [one.name, place]));
  const counts = new Map();
  const highs = new Map();
  for (const row of body.rows) {
    const [low, count] = [row[at.low], row[at.count]];
    if (!count || low === null) continue;
    counts.set(`${row[at.t]} ${low}`, count);
    highs.set(low, row[at.high] ?? low * 2);
  }
  const step_s = body.step_s ?? 60;
  const first = Math.floor(Date.parse(body.from) / 1000 / step_s) * step_s;
  const steps = Math.min(Math.ceil((Date.parse(body.to) / 1000 - first) / step_s), STEPS_MAX);
  return {
    times: Array.from({ length: steps }, (_, x) => first + x * step_s), lows: [...highs.keys()].sort((a, b) => a - b), highs, counts,
    most: Math.max(0, ...counts.values()), step_s,
  };
}

/**
 * @param {{map: Grid, unit: string, label: string, onBox: (box: {from: number, to: number, low: number, high: number}) => void}} props
 */
export function Heat({ map, unit, label, onBox }) {
  const place = useRef(/** @type {any} */ (null));
  const [size, setSize] = useState(600);
  const [cursor, setCursor] = useState(/** @type {At | null} */ (null));
  const [start, setStart] = useState(/** @type {At | null} */ (null));
  const theme = themeName.value;
  useEffect(() => {
    const element = place.current;
    const watch = new ResizeObserver(() => setSize(Math.max(element.clientWidth, 200)));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const canvas = place.current?.querySelector("canvas");
    if (canvas) paint(canvas, map, size, unit, cursor && corners(start ?? cursor, cursor));
  }, [map, size, cursor, start, theme]);
  const said = cursor ? says(map, cursor, unit) : `${number(map.most)} requests in the fullest cell; drag a box, or press Enter on a cell`;
  const open = (/** @type {At} */ a, /** @type {At} */ b) => {
    const [[x0, y0], [x1, y1]] = corners(a, b);
    onBox({ from: map.times[x0], to: map.times[x1] + map.step_s, low: map.lows[y0], high: map.highs.get(map.lows[y1]) ?? Infinity });
  };
  const spot = (/** @type {PointerEvent} */ event) => cellAt(map, size, event);
  return html`<div class="stage tall" ref=${place}>
    <canvas tabindex="0" role="slider" aria-label=${`${label}: arrow keys walk, Enter opens the requests of a cell`} aria-valuemin="0" aria-valuemax=${map.times.length}
      aria-valuenow=${cursor?.[0] ?? 0} aria-valuetext=${said}
      onPointerMove=${(/** @type {PointerEvent} */ event) => setCursor(spot(event))}
      onPointerDown=${(/** @type {PointerEvent} */ event) => setStart(spot(event))}
      onPointerUp=${(/** @type {PointerEvent} */ event) => {
        const end = spot(event);
        if (start && end) open(start, end);
        setStart(null);
      }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        const next = walked(event.key, cursor ?? [map.times.length - 1, 0], map);
        if (event.key === "Enter" && cursor) open(cursor, cursor);
        else if (next) setCursor(next);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}></canvas>
    <p class="says">${said}</p>
  </div>`;
}

function walked(key, [x, y], map) {
  const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key] ?? [0, 0];
  const within = (/** @type {number} */ value, /** @type {number} */ count) => Math.min(Math.max(value, 0), Math.max(count - 1, 0));
  return right || up ? [within(x + right, map.times.length), within(y + up, map.lows.length)] : null;
}

function says(map, [x, y], unit) {
  const [t, low] = [map.times[x], map.lows[y]];
  return low === undefined ? "no requests" : `${clock(t)}, ${figure(low, unit)} to ${figure(map.highs.get(low), unit)}: ${number(map.counts.get(`${t} ${low}`) ?? 0)} requests`;
}

/** The least and the largest place of a box. */
function corners(a, b) {
  return [[Math.min(a[0], b[0]), Math.min(a[1], b[1])], [Math.max(a[0], b[0]), Math.max(a[1], b[1])]];
}

/** Width and height of a cell. */
function cell(map, width) {
  return [(width - LEFT) / Math.max(map.times.length, 1), (HEIGHT - BOTTOM) / Math.max(map.lows.length, 1)];
}

function cellAt(map, width, event) {
  const [w, h] = cell(map, width);
  const x = Math.floor((event.offsetX - LEFT) / w);
  const y = map.lows.length - 1 - Math.floor(event.offsetY / h);
  return map.times[x] !== undefined && map.lows[y] !== undefined ? [x, y] : null;
}

function paint(canvas, map, width, unit, box) {
  const scale = devicePixelRatio;
  Object.assign(canvas, { width: width * scale, height: HEIGHT * scale });
  Object.assign(canvas.style, { width: `${width}px`, height: `${HEIGHT}px` });
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.scale(scale, scale);
  ctx.font = AXIS.font;
  const [w, h] = cell(map, width);
  const bottom = HEIGHT - BOTTOM;
  ctx.fillStyle = colour("a");
  map.times.forEach((t, x) =>
    map.lows.forEach((low, y) => {
      const count = map.counts.get(`${t} ${low}`);
      if (!count) return;
      ctx.globalAlpha = 0.22 + (0.78 * Math.log1p(count)) / Math.log1p(map.most);
      ctx.fillRect(LEFT + x * w, bottom - (y + 1) * h, Math.max(w - (w > 4 ? 1 : 0), 1), Math.max(h - (h > 5 ? 1 : 0), 1));
    }),
  );
  ctx.globalAlpha = 1;
  axes(ctx, map, width, unit);
  if (!box) return;
  const [[x0, y0], [x1, y1]] = box;
  ctx.strokeStyle = colour("text");
  ctx.lineWidth = 1.5;
  ctx.strokeRect(LEFT + x0 * w, bottom - (y1 + 1) * h, (x1 - x0 + 1) * w, (y1 - y0 + 1) * h);
}

function axes(ctx, map, width, unit) {
  const [w, h] = cell(map, width);
  ctx.fillStyle = colour("soft");
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  const every = Math.max(1, Math.ceil(map.lows.length / 7));
  map.lows.forEach((low, y) => {
    if (y % every === 0) ctx.fillText(figure(low, unit), LEFT - 6, Math.max(9, HEIGHT - BOTTOM - y * h - Math.min(h / 2, 6)));
  });
  ctx.textAlign = "center";
  const labels = Math.max(2, Math.floor((width - LEFT) / 110));
  for (let at = 0; at < labels; at += 1) {
    const x = Math.floor(((at + 0.5) * map.times.length) / labels);
    if (map.times[x] !== undefined) ctx.fillText(clock(map.times[x]).slice(0, map.step_s < 5 ? 8 : 5), LEFT + x * w, HEIGHT - 9);
  }
}
