// @ts-check
// Knows a chart on the page, and what a reader hears of it: uPlot has no accessibility tree.

import uPlot from "uplot";
import { html, useEffect, useLayoutEffect, useRef } from "./dom.js";
import { figure } from "./format.js";
import { data, options, shape } from "./plot.js";
import { themeName } from "./theme.js";
import { clock } from "./time.js";

/**
 * A plot as wide as its place, made anew when its form or the theme changes. Out of sight it follows neither the pointer
 * over others nor new values: what is to be shown then is shown when it comes into sight.
 * @param {(width: number, place: HTMLDivElement) => uPlot} make @param {unknown} form
 */
export function usePlot(make, form) {
  const place = useRef(/** @type {any} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const isSeen = useRef(true);
  const owed = useRef(/** @type {(() => void) | null} */ (null));
  const theme = themeName.value;
  useLayoutEffect(() => {
    const element = place.current;
    const width = () => Math.max(element.clientWidth, 120);
    const u = make(width(), element);
    plot.current = u;
    Object.assign(element, { chart: u });
    const watch = new ResizeObserver(() => u.setSize({ width: width(), height: u.height }));
    watch.observe(element);
    const together = uPlot.sync(u.cursor.sync?.key ?? "none");
    const sight = new IntersectionObserver((all) => {
      isSeen.current = all[all.length - 1].isIntersecting;
      together.unsub(u);
      if (!isSeen.current) return;
      together.sub(u);
      owed.current?.();
      owed.current = null;
    });
    sight.observe(element);
    return () => {
      watch.disconnect();
      sight.disconnect();
      together.unsub(u);
      u.destroy();
      plot.current = null;
    };
  }, [form, theme]);
  const show = (/** @type {() => void} */ draw) => {
    if (isSeen.current) draw();
    else owed.current = draw;
  };
  return { place, plot, show };
}

/** @param {import("./plot.js").Props} props */
export function Chart(props) {
  const latest = useRef(props);
  latest.current = props;
  const { place, plot, show } = usePlot((width, element) => new uPlot(options(props, latest, width), data(props), element), shape(props));
  useEffect(() => {
    show(() => plot.current?.setData(data(props)));
  }, [props.times, props.series, props.limit]);
  const end = Math.max(props.times.length - 1, 0);
  return html`<div class=${`stage ${props.size ?? ""}`} ref=${place} tabindex="0" role="slider" aria-label=${`${props.label}: walk through time with the arrow keys`}
    aria-valuemin="0" aria-valuemax=${end} aria-valuenow=${plot.current?.cursor.idx ?? end} aria-valuetext=${props.reading}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => walk(event, plot.current, end)}></div>`;
}

function walk(event, u, end) {
  const now = u?.cursor.idx ?? end;
  const moves = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: end, PageUp: now - 10, PageDown: now + 10 };
  const next = moves[/** @type {keyof typeof moves} */ (event.key)];
  if (!u || next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  u.setCursor({ left: u.valToPos(u.data[0][Math.min(Math.max(next, 0), end)], "x"), top: 10 });
}

/** What stands at one place, in words. @param {import("./series.js").Series[]} series @param {number[]} times @param {number} at */
export function reading(series, times, at) {
  return times[at] === undefined ? "no values" : `${clock(times[at])}: ${series.map((one) => `${one.name} ${figure(one.values[at], one.unit)}`).join(", ")}`;
}
