"""Knows how figures and foreign texts are written for people; refuses to know what they mean.

    under 1 s in ms with three digits, then s, then min and s; k, M, G for rates; shares in percent with as many digits
    as keep them from touching the objective; unknown is "n/a", never 0

A text from outside is shown letter by letter: what is invisible or turns the direction of reading becomes an escape.

Source: spec/ui.md 4 (formats), 7 (bidi and zero-width characters as escapes, 120 characters), 14.2 (examples).
"""

import math

NONE = "n/a"
LETTERS_MAX = 120
"""Longest name in a heading; a table has all of it."""
_DIGITS = 3
_MINUTE_S = 60.0
_KILO = 1000
_SHARE_DIGITS = 6


def duration(value_s: float | None) -> str:
    """Return a duration: 12.3 ms, 1.00 s, 1 min 15 s."""
    if value_s is None:
        return NONE
    if value_s and abs(value_s) < 1 and float(f"{value_s * _KILO:.3g}") < _KILO:
        return f"{digits(value_s * _KILO)} ms"
    if value_s < _MINUTE_S - 0.05:  # 59.95 s would be written as 60.0 s
        return f"{digits(value_s)} s" if value_s else "0 s"
    minutes, seconds = divmod(round(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def width(value_s: float) -> str:
    """Return a round duration: 0.5 s, 1 s, 2 min."""
    return f"{value_s / _MINUTE_S:g} min" if value_s >= 2 * _MINUTE_S else f"{value_s:g} s"


def number(value: float | None) -> str:
    """Return a number with three digits, large ones in k, M and G."""
    if value is None:
        return NONE
    units = ["", "k", "M", "G"]
    while abs(value) >= _KILO - 0.5 and len(units) > 1:
        value /= _KILO
        del units[0]
    return f"{digits(value)}{units[0]}"


def rate(value_per_s: float | None, what: str) -> str:
    """Return a rate: 12.3k tok/s."""
    return NONE if value_per_s is None else f"{number(value_per_s)} {what}/s"


def share(value: float | None, objective: float | None = None) -> str:
    """Return a share in percent that is never rounded onto, or across, an objective, nor up to all or down to none."""
    if value is None:
        return NONE
    edges = [0.0, 1.0, *([] if objective is None else [objective])]
    for places in range(2, _SHARE_DIGITS + 1):
        shown = round(value, places + 2)
        if all(value == edge or (shown != edge and (shown < edge) == (value < edge)) for edge in edges):
            return f"{100 * value:.{places}f}".rstrip("0").rstrip(".") + " %"
    return f"{100 * value!r} %"


def change(value: float | None) -> str:
    """Return a change in percent with its sign; an infinite one is one to or from a failure."""
    if value is None:
        return NONE
    if math.isinf(value):
        return "fails" if value > 0 else "failed before"
    return f"{100 * value:+.1f} %"


def count(value: int | None) -> str:
    """Return a whole number with its thousands apart."""
    return NONE if value is None else f"{value:,}"


def digits(value: float) -> str:
    """Return three significant digits, without an exponent from 0.001 to a thousand."""
    if not value:
        return "0"
    rounded = float(f"{value:.{_DIGITS}g}")
    places = _DIGITS - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{min(max(places, 0), 6)}f}"


def shown(text: object) -> str:
    """Return a text of which every letter can be seen, in the order in which it stands."""
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in str(text))


def short(text: object) -> str:
    """Return the same for a heading: cut, if it is long."""
    whole = shown(text)
    return whole if len(whole) <= LETTERS_MAX else f"{whole[: LETTERS_MAX - 1]}…"


def _escape(letter: str) -> str:
    at = ord(letter)
    return f"\\u{at:04x}" if at <= 0xFFFF else f"\\U{at:08x}"  # noqa: PLR2004 -- the last letter of four digits
