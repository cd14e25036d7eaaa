"""Knows the markers that nobody withdrew, as a source for other questions; refuses to know what they are asked for.

No row is ever changed: a marker is withdrawn by a second row that says the same, with a word before its kind.

Source: spec/store.md 1 (no updates), 3 (`markers`); spec/slo.md 17 (markers can be withdrawn).
"""

from telemetry.queries.question import Select

WITHDRAWN = "withdrawn "
"""Stands before the kind in the row that withdraws a marker."""
_SAME = ("at", "end", "service", "endpoint", "version", "actor", "automated", "text")
_KIND = f"if(startsWith(w.kind, '{WITHDRAWN}'), substring(w.kind, {len(WITHDRAWN) + 1}), w.kind)"
STANDING_MARKERS = Select(
    columns=[*(f"w.{name} AS {name}" for name in _SAME), f"{_KIND} AS kind"],
    source="inferometer.markers AS w",
    group_by=[*(f"w.{name}" for name in _SAME), _KIND],
    having=[f"NOT max(startsWith(w.kind, '{WITHDRAWN}'))"],
)
"""The columns of `markers`, one row for each that stands; a condition on `at` prunes the table."""
