"""Columns by few words."""

from dashboards.columns import TIME, bounded, detail, instant, key, number, numbers, text
from telemetry.panel import Role, Type, Unit


def test_what_is_said_is_meant() -> None:
    assert (Role.TIME, Type.UNIX_S) == (TIME.role, TIME.type)
    assert (Role.VALUE, Unit.RATIO) == (number("a", Unit.RATIO).role, number("a", Unit.RATIO).unit)
    assert ["a", "b"] == [one.name for one in numbers(Unit.COUNT, "a", "b")]
    assert (Role.KEY, Type.TEXT) == (key("a").role, key("a").type)
    assert (Role.VALUE, Type.TEXT) == (text("a").role, text("a").type)
    assert (Role.DETAIL, Type.TEXT) == (detail("a").role, detail("a").type)
    assert (Role.VALUE, Type.UNIX_S) == (instant("a").role, instant("a").type)
    assert [Role.LEVEL, Role.LOW, Role.HIGH] == [one.role for one in bounded("a", Unit.RATIO, Role.LEVEL)]
    assert ["a", "a_low", "a_high"] == [one.name for one in bounded("a", Unit.RATIO)]
