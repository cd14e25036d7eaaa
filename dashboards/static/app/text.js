// @ts-check
// Knows how a string from outside is shown, as a text node only; pure.
// Source: spec/ui.md 7; CVE-2026-40179.

const NAME_CHARACTERS_MAX = 120;
// Controls, line separators, and what is not drawn: zero-width, bidi, tags, fillers.
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

/**
 * The whole string, with what cannot be seen as escapes.
 * @param {unknown} value @param {boolean} [hasLines] whether its lines stay @returns {string}
 */
export function whole(value, hasLines = false) {
  return String(value ?? "").replace(HIDDEN, (one) => {
    if (hasLines && one === "\n") return one;
    const code = one.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
  });
}

/** The same, cut to the length of a name. @param {unknown} value @returns {string} */
export function name(value) {
  const characters = [...whole(value)];
  return characters.length > NAME_CHARACTERS_MAX
    ? `${characters.slice(0, NAME_CHARACTERS_MAX - 1).join("")}…`
    : characters.join("");
}

/** An address that may be followed; null for everything but http(s). @param {unknown} value */
export function link(value) {
  try {
    const url = new URL(String(value), document.baseURI);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
