"""Knows the columns that panels are made of, by few words; refuses to know how they are asked for."""

from telemetry.panel import Column, Role, Type, Unit

TIME = Column(name="t", type=Type.UNIX_S, role=Role.TIME)


def number(name: str, unit: Unit) -> Column:
    """Return a value that is drawn."""
    return Column(name=name, unit=unit)


def numbers(unit: Unit, *names: str) -> tuple[Column, ...]:
    """Return values of one unit."""
    return tuple(number(name, unit) for name in names)


def bounded(name: str, unit: Unit, role: Role = Role.VALUE) -> tuple[Column, ...]:
    """Return a value and the ends of its interval, `<name>_low` and `<name>_high`."""
    ends = (Column(name=f"{name}_{end.value}", unit=unit, role=end) for end in (Role.LOW, Role.HIGH))
    return (Column(name=name, unit=unit, role=role), *ends)


def key(name: str) -> Column:
    """Return a text that names the row, or the series."""
    return Column(name=name, type=Type.TEXT, role=Role.KEY)


def text(name: str) -> Column:
    """Return a text that is a value."""
    return Column(name=name, type=Type.TEXT)


def detail(name: str) -> Column:
    """Return a text that belongs to the row."""
    return Column(name=name, type=Type.TEXT, role=Role.DETAIL)


def instant(name: str) -> Column:
    """Return a time that is a value."""
    return Column(name=name, type=Type.UNIX_S)
