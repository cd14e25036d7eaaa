"""Knows how it is said where bad requests are concentrated; refuses to say that anything caused them.

A value stands out if a larger share of its requests is bad than of all. One that holds all of the excess because every
request has it, as the endpoint of an alert, says nothing and is left to the facts.

Source: spec/slo.md 12 (contributors); `telemetry.queries.excess` for the rows, their order and the tenth below which
nothing is named.
"""

from collections.abc import Sequence

from slo.explain_words import LISTED_MAX, Part, clean, listed, rounded, share, thing
from slo.sight import Row
from telemetry.queries.asked import Dim
from telemetry.queries.excess import LIFT_MIN

_KINDS = {Dim.WORKLOAD_CLASS: "class", Dim.PROMPT_LENGTH: "input length"}


def top_contributors(rows: Sequence[Row]) -> Part:
    """Say where the excess is concentrated, given the answer to `contributors_of`."""
    facts = [_facts(row) for row in rows[:LISTED_MAX]]
    if not rows:
        return Part(words="no more bad requests than in the same hours of the 7 days before", facts=facts)
    out = [row for row in rows if float(row["lift"]) >= LIFT_MIN]
    total = float(rows[0]["excess"]) / float(rows[0]["share"])
    words = f"{total:.0f} bad requests {_reference(rows)}, " + (
        "concentrated in " + listed([_words(row) for row in out], "; ", "")
        if out
        else "spread: no value of any dimension stands out"
    )
    return Part(words=words, facts=facts)


def endpoints(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the endpoints that hold a part of the excess, for what is asked about endpoints."""
    return tuple(sorted(str(row["value"]) for row in rows if row["dim"] == Dim.ENDPOINT))


def _reference(rows: Sequence[Row]) -> str:
    days = max(int(row["days"]) for row in rows)
    if not days:
        return "(no day before to compare with)"
    one_in = int(rows[0]["one_in"])
    part = f" (one second in {one_in} of them)" if one_in > 1 else ""
    return f"more than in the same hours of the {days} day{'s' if days > 1 else ''} before{part}"


def _words(row: Row) -> str:
    n, bad = int(row["n"]), int(row["bad"])
    held = share(min(float(row["share"]), 1.0))  # it is more than all where others have fewer than usual
    lift = f"{float(row['lift']):.3g} times the share of all"
    return f"{_named(row)} (with {held} of them; {share(bad / n)} of its {n} requests are bad, {lift})"


def _named(row: Row) -> str:
    dim, value = Dim(str(row["dim"])), str(row["value"])
    if dim is Dim.PROMPT_LENGTH and value.isdigit():
        return f"input length {value} to {max(2 * int(value) - 1, 0)} tokens"
    return thing(_KINDS.get(dim, dim.value), value)


def _facts(row: Row) -> dict[str, object]:
    return {
        "dim": str(row["dim"]),
        "value": clean(str(row["value"])),
        **{name: int(row[name]) for name in ("n", "bad", "days", "one_in")},
        **{name: rounded(row[name]) for name in ("excess", "share", "lift", "ratio_ref")},
    }
