// @ts-check
"use strict";
// Numbers as people read them (spec/ui.md 4), and ticks of an axis. The same rules as loadtest/report_words.py.

const KILO = 1000;

/** Three significant digits. @param {number} value */
function digits(value) {
  if (!value) return "0";
  const rounded = Number(value.toPrecision(3));
  const places = 2 - Math.floor(Math.log10(Math.abs(rounded)));
  return rounded.toFixed(Math.min(Math.max(places, 0), 6));
}

/** @param {number} value seconds */
function duration(value) {
  if (value === 0) return "0 s";
  if (Math.abs(value) < 1 && Number((value * KILO).toPrecision(3)) < KILO) return `${digits(value * KILO)} ms`;
  if (value < 59.95) return `${digits(value)} s`;
  const seconds = Math.round(value);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

/** @param {number} value */
function number(value) {
  let scaled = value;
  for (const unit of ["", "k", "M"]) {
    if (Math.abs(scaled) < KILO - 0.5) return digits(scaled) + unit;
    scaled /= KILO;
  }
  return `${digits(scaled)}G`;
}

/** A share, with as many digits as keep it from touching 0 or 1. @param {number} value */
function share(value) {
  for (let places = 2; places <= 6; places += 1) {
    const shown = Number(value.toFixed(places + 2));
    if (value === shown || (shown > 0 && shown < 1)) {
      return `${(100 * value).toFixed(places).replace(/\.?0+$/, "")} %`;
    }
  }
  return `${100 * value} %`;
}

/** @type {Record<string, (value: number) => string>} */
const FORMATS = {
  s: duration,
  ratio: share,
  count: number,
  per_s: (value) => `${number(value)}/s`,
  change: (value) => `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)} %`,
};

/** A tick: as short as its step allows. @param {number} value @param {string} unit @param {number} step */
function tick(value, unit, step) {
  const places = (/** @type {number} */ size) => Math.max(0, Math.ceil(-Math.log10(size) - 1e-9));
  if (unit === "ratio") return `${(100 * value).toFixed(places(100 * step))} %`;
  if (unit === "change") return `${value > 0 ? "+" : ""}${(100 * value).toFixed(places(100 * step))} %`;
  if (unit === "s" && value && Math.abs(value) < 1) return `${trimmed(value * KILO)} ms`;
  if (unit === "s") return value < 600 ? `${trimmed(value)} s` : `${trimmed(value / 60)} min`;
  return Math.abs(value) >= KILO ? `${trimmed(value / KILO)}k` : trimmed(value);
}

/** @param {number} value */
function trimmed(value) {
  return String(Number(value.toPrecision(6)));
}

/**
 * Round values across a range, at most about `most`.
 * @param {number} low @param {number} high @param {number} most @param {boolean} log
 * @returns {{at: number[], step: number}}
 */
function ticks(low, high, most, log) {
  if (log) {
    const decades = Math.log10(high / low);
    const parts = decades * 3 <= most ? [1, 2, 5] : decades * 2 <= most ? [1, 3] : [1];
    const at = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const part of parts) at.push(Number((part * 10 ** power).toPrecision(3)));
    }
    const inside = at.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    return { at: inside.length > 1 ? inside : [low, high], step: low };
  }
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((part) => part * power).find((size) => size >= rough * 0.999) ?? 10 * power;
  const at = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-6; k += 1) at.push(Number((k * step).toPrecision(9)));
  return { at, step };
}
