// @ts-check
// Knows the texture of each outcome group on a canvas: none is told by colour alone. Source: spec/ui.md 4.

/** @type {Map<string, CanvasPattern | string>} */
const made = new Map();

/** @param {CanvasRenderingContext2D} ctx @param {string | null} group @param {string} colour @returns {CanvasPattern | string} */
export function pattern(ctx, group, colour) {
  const key = `${group} ${colour} ${devicePixelRatio}`;
  const found = made.get(key) ?? fresh(ctx, group, colour);
  made.set(key, found);
  return found;
}

function fresh(ctx, group, colour) {
  if (!group || group === "good" || group === "fault") return `${colour}cc`;
  const size = 8 * devicePixelRatio;
  const tile = new OffscreenCanvas(size, size);
  const paint = /** @type {OffscreenCanvasRenderingContext2D} */ (tile.getContext("2d"));
  paint.scale(devicePixelRatio, devicePixelRatio);
  paint.fillStyle = `${colour}44`;
  if (group !== "unobserved") paint.fillRect(0, 0, 8, 8);
  paint.strokeStyle = paint.fillStyle = colour;
  paint.lineWidth = 1.5;
  DRAW[/** @type {keyof typeof DRAW} */ (group)]?.(paint);
  return ctx.createPattern(/** @type {any} */ (tile), "repeat") ?? colour;
}

function circle(p, x, y, radius) {
  p.beginPath();
  p.arc(x, y, radius, 0, 7);
  return p;
}

const DIAGONALS = "M-2 2L2-2M-2 10L10-2M6 10L10 6";
/** @type {Record<string, (p: OffscreenCanvasRenderingContext2D) => void>} */
const DRAW = {
  excluded: (p) => p.fillRect(0, 0, 8, 3),
  throttled: (p) => [2, 6].forEach((at) => circle(p, at, at, 1.4).fill()),
  unreachable: (p) => p.stroke(new Path2D("M2 0v8M6 0v8")),
  slow: (p) => p.stroke(new Path2D(DIAGONALS)),
  broken: (p) => p.stroke(new Path2D("M0 0l8 8M0 8l8-8")),
  gave_up: (p) => circle(p, 4, 4, 2.4).stroke(),
  unobserved: (p) => p.stroke(new Path2D(DIAGONALS)),
};
