"""Knows which lines of a page speak of an engine's known metrics; refuses to know what they say.

One compiled expression per engine takes them out of the bytes, so what nobody asked for costs a glance per line, and
what a page may cost is bounded before anything is parsed. A page that ends inside a line was cut off, and of those
nothing is believed. A page cut at the end of a line looks whole: whoever fetched it must know its length.

Source: spec/measurement.md 15 (T3, T4); Prometheus text format 0.0.4 (each line ends with a line feed).
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from probes.aliases import TABLE, Engine, histogram_keys, key
from probes.errors import PageError, PageFault

PAGE_BYTES_MAX = 32 << 20
"""Longest page."""
SAMPLES_MAX = 50_000
"""Most samples of wanted names on a page."""
WANTED_BYTES_MAX = 8 << 20
"""Most bytes of wanted lines; the parser takes some seconds for that."""

_SLICE_BYTES = 1 << 20


def wanted(body: bytes, engine: Engine) -> list[bytes]:
    """Return the lines of a page that speak of an engine's known metrics.

    Raises:
        PageError: The page is too large, has too many such lines, or was cut off.
    """
    if len(body) > PAGE_BYTES_MAX:
        raise PageError(PageFault.TOO_LARGE)
    if body and not body.endswith(b"\n"):
        raise PageError(PageFault.CUT_OFF)
    lines: list[bytes] = []
    left = WANTED_BYTES_MAX
    for line in _lines(b"\n" + body, _filter(engine)):
        left -= len(line)
        if left < 0:
            raise PageError(PageFault.TOO_LARGE)
        if len(lines) == SAMPLES_MAX:
            raise PageError(PageFault.TOO_MANY_SAMPLES)
        lines.append(line)
    return lines


def _lines(text: bytes, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """Give the lines that an expression finds, a slice after the other: other threads wait while it looks."""
    at = 0
    while at < len(text):
        end = text.find(b"\n", at + _SLICE_BYTES)
        end = len(text) if end < 0 else end
        yield from (match[1] for match in pattern.finditer(text, at, end))
        at = end


@cache
def _filter(engine: Engine) -> re.Pattern[bytes]:
    """Return what matches a line feed and, as its group, the line of a wanted name."""
    histograms = histogram_keys(engine)
    names = {name for source in TABLE[engine] for name in source.names}
    parts = [name for name in names if key(name) in histograms]
    plain = [name.removesuffix("_total") for name in names if key(name) not in histograms]
    return re.compile(
        rb"\n((?:ray_|kserve_)?(?:(?:" + _any(parts) + rb")_(?:bucket|sum|count)|(?:" + _any(plain) + rb")(?:_total)?)"
        rb"[ \t{][^\n]*)"
    )


def _any(names: Iterable[str]) -> bytes:
    """Return an expression for any of some names, sorted by engine so that a foreign line fails at once."""
    families: dict[str, list[str]] = {}
    for name in sorted(names):
        engine, colon, rest = name.rpartition(":")
        families.setdefault(engine + ("[:_]" if colon else ""), []).append(rest)
    return "|".join(f"{engine}(?:{'|'.join(rest)})" for engine, rest in families.items()).encode() or rb"(?!)"
