"""Knows which columns of a row the meter fills; refuses to know the others.

Source: spec/store.md 2.1, spec/measurement.md 6.
"""

from operator import attrgetter
from typing import Any

from telemetry.meter_result import MeterResult
from telemetry.record import RequestRecord

_NAMES = tuple(name for name in RequestRecord.__struct_fields__ if name in MeterResult.__struct_fields__)
_values = attrgetter(*_NAMES)


def columns(result: MeterResult) -> dict[str, Any]:
    """Return the columns of `RequestRecord` that a measurement fills, by name; a new dict, the caller's own."""
    return dict(zip(_NAMES, _values(result), strict=True))
