"""A long series keeps its shape, and only true rows."""

from math import sin

from slo.panel_thin import thinned
from telemetry.panel import Column, Document, Kind, Page, Panel, Role, Type, Unit

T = Column(name="t", type=Type.UNIX_S, role=Role.TIME)
V = Column(name="v", unit=Unit.SECONDS)
KEY = Column(name="k", type=Type.TEXT, role=Role.KEY)


def panel(*columns: Column) -> Panel:
    return Panel(
        id="fleet.x", title="X", page=Page.FLEET, question="?", unit=Unit.SECONDS, kind=Kind.LINE, columns=columns,
        meaning="m", action="a", document=Document.SLOS,
    )  # fmt: skip


def test_a_short_series_stays() -> None:
    rows = [{"t": at, "v": at} for at in range(10)]

    assert rows == thinned(panel(T, V), rows, 10)


def test_a_spike_stays_and_so_do_both_ends() -> None:
    rows: list[dict[str, object]] = [{"t": at, "v": sin(at / 300)} for at in range(5_000)]
    rows[2_345]["v"] = 50.0
    rows[100]["v"] = None
    found = thinned(panel(T, V), rows, 1_500)

    assert 1_500 == len(found)
    assert rows[0] is found[0]
    assert rows[-1] is found[-1]
    assert rows[2_345] in found
    assert all(any(one is row for row in rows) for one in found[:3])
    assert sorted(found, key=lambda one: int(str(one["t"]))) == found


def test_each_series_is_thinned_by_itself() -> None:
    rows = [{"t": at, "k": key, "v": at % 7} for at in range(100) for key in ("a", "b") if at < 5 or key == "a"]
    found = thinned(panel(T, KEY, V), rows, 20)

    assert 20 == sum(one["k"] == "a" for one in found)
    assert 5 == sum(one["k"] == "b" for one in found)
