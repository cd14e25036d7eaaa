"""Knows how what was found out about bad requests is said, in one paragraph and as facts; refuses to ask for it.

The same rows give the same text on every replica: numbers are rounded alike, lists keep the order of the rows, and what
a name holds that cannot be printed is shown as a mark.

Source: spec/slo.md 12 (impact, error classes, phase split, exemplars); `telemetry.queries.bad_events` for the rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from slo.sight import Row
from slo.stages import UPPER_BOUND, Times, slowest, upper_bound_s
from slo.words import span
from telemetry.queries.bad_events import PHASES

NAME_CHARACTERS_MAX = 80
"""Longest name in a text; what is longer is cut off."""
NAMED_MAX = 3
"""Things that a paragraph names; the others are counted."""
LISTED_MAX = 10
"""Things that a list of facts holds."""
DETAIL_BYTES_MAX = 8 << 10
"""Longest facts of one alert."""
_CUT, _UNPRINTABLE = "…", "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that was found out.

    Attributes:
        words: A paragraph for a person.
        facts: The same as JSON has it.
    """

    words: str
    facts: object


def impact(row: Row, window_s: int, overdue: int) -> Part:
    """Say how much is bad, given the answer to `impact` and the requests that wait for too long now."""
    n, bad, hit, tenants = (int(row[name]) for name in ("n", "bad", "tenants_hit", "tenants"))
    words = f"{bad} of {n} requests of the last {span(window_s)} were bad"
    if n:
        words += f" ({share(bad / n)})"
    if overdue:
        words += f"; {overdue} wait for too long now"
    if tenants:
        words += f"; {hit} of {tenants} tenants were hit"
    facts = {name: int(row[name]) for name in ("n", "bad", "bad_http", "tenants", "tenants_hit")}
    return Part(words=words, facts=facts | {"overdue": overdue, "ratio": rounded(bad / n) if n else None})


def error_classes(rows: Sequence[Row]) -> Part:
    """Say how the bad requests ended, given the answer to `endings`."""
    total = sum(int(row["n"]) for row in rows)
    said = [f"{_ending(row)}: {int(row['n'])} ({share(int(row['n']) / total)})" for row in rows]
    facts = [{name: row[name] for name in ("outcome", "phase", "in_stream", "n")} for row in rows[:LISTED_MAX]]
    return Part(words=listed(said, "; ", "no bad request has ended"), facts=facts)


def phase_split(rows: Sequence[Row]) -> Part:
    """Say where the time of bad requests went, given the answer to `phases`."""
    by = {str(row["who"]): row for row in rows}
    bad, usual = _seconds(by.get("bad")), _seconds(by.get("usual"))
    said = [f"{_PHASE_WORDS[name]} {seconds(value)} ({_usually(usual, name)})" for name, value in bad.items()]
    most = _grew_most(bad, usual)
    words = f"medians: {'; '.join(said)}" if said else "no time of a bad request is known"
    if most:
        words += f". Grew most: {_PHASE_WORDS[most]}"
    return Part(words=words, facts={"bad": bad, "usual": usual, "grew_most": most})


def exemplars(rows: Sequence[Row], at_s: int) -> Part:
    """Name three requests, given the answer to `exemplars`: the worst, a typical and the newest one."""
    chosen: dict[str, Row] = {}
    for kind in ("worst", "typical", "newest"):
        taken = {row["record_id"] for row in chosen.values()}
        free = sorted((row for row in rows if row["record_id"] not in taken), key=lambda row: int(row[kind]))
        if free:
            chosen[kind] = free[0]
    said = [
        f"{kind} {row['record_id']}{_trace(row)}: {_outcome(str(row['outcome']))} after"
        f" {seconds(int(row['elapsed_us']) / 1e6)} on {thing('replica', str(row['replica']))}"
        for kind, row in chosen.items()
    ]
    facts = [
        {
            "kind": kind,
            "record_id": str(row["record_id"]),
            "trace_id": row["trace_id"],
            "outcome": row["outcome"],
            "replica": clean(str(row["replica"])),
            "elapsed_s": rounded(int(row["elapsed_us"]) / 1e6),
            "before_s": (at_s * 1000 - int(row["t_unix_ms"])) / 1000,
        }
        for kind, row in chosen.items()
    ]
    return Part(words="; ".join(said) or "no bad request has ended", facts=facts)


def stages(found: Sequence[Times]) -> Part:
    """Say which stage of flows takes most time beyond its budget, and how long flows take, the flow itself first."""
    most, whole = slowest(found), next((one for one in found if not one.name), None)
    words = "no stage is over its budget"
    if most:
        one, ratio = most
        words = (
            f"most time over budget: stage {clean(one.name)}, {share(ratio)} of all stages'"
            f" ({seconds(one.over_s)} beyond {seconds(one.budget_s)} in {one.n} flows)"
        )
    if whole:
        words += f". P99 of {whole.n} flows: {_told(whole.p99_s)}; P99s of their stages add up to"
        words += f" {_told(upper_bound_s(found))}: {UPPER_BOUND}"
    facts = [{name: getattr(one, name) for name in Times.__slots__} for one in found]
    return Part(words=words, facts=facts)


def detail(facts: Mapping[str, object], bytes_max: int = DETAIL_BYTES_MAX) -> str:
    """Return facts as JSON that is short enough; the longest lists lose their ends, and `cut` counts what they lost."""
    left: dict[str, object] = {name: [*_items(value)] if _is_list(value) else value for name, value in facts.items()}
    lost = 0
    while len(text := json.dumps(left | {"cut": lost}, sort_keys=True, separators=(",", ":"))) > bytes_max:
        lists = [name for name, value in left.items() if _is_list(value) and _items(value)]
        if not lists:
            return json.dumps({"cut": lost + len(left)})
        longest = max(lists, key=lambda name: len(json.dumps(left[name])))
        left[longest] = _items(left[longest])[:-1]
        lost += 1
    return text


def clean(text: str) -> str:
    """Return a name as it may stand in a text: printable, on one line, not too long."""
    shown = "".join(one if one.isprintable() else _UNPRINTABLE for one in text[: NAME_CHARACTERS_MAX + 1])
    return shown if len(shown) <= NAME_CHARACTERS_MAX else shown[:NAME_CHARACTERS_MAX] + _CUT


def thing(kind: str, name: str) -> str:
    """Return a thing with its name: `replica 10.0.0.3:8000`."""
    return f"{kind} {clean(name)}" if name else f"unnamed {kind}"


def listed(said: Sequence[str], between: str, otherwise: str) -> str:
    """Return the first of what is to be said, and how much more there is."""
    more = len(said) - NAMED_MAX
    return between.join([*said[:NAMED_MAX], *([f"{more} more"] if more > 0 else [])]) or otherwise


def share(ratio: float) -> str:
    """Return a share as people say it."""
    return f"{100 * ratio:.3g} %"


def seconds(value: float) -> str:
    """Return a time as people say it."""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def rounded(value: float | None) -> float | None:
    """Return a number with four digits."""
    return None if value is None else float(f"{value:.4g}")


def _told(p99_s: float | None) -> str:
    return "endless" if p99_s is None else seconds(p99_s)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _items(value: object) -> list[object]:
    return list(cast("Sequence[object]", value))


_PHASE_WORDS = {
    "no_output": "waited in vain for output",
    "first_output": "to the first output",
    "network": "network",
    "queue": "queue",
    "prefill": "prefill",
    "decode": "decode",
    "stall": "stalls",
}
_PARTS_OF = {"first_output": ("network", "queue", "prefill"), "decode": ("stall",)}
"""Phases that hold others: what those grew by is not counted twice."""


def _seconds(row: Row | None) -> dict[str, float]:
    """Return the phases that are known."""
    told = {name: row[f"{name}_us"] for name in PHASES} if row else {}
    return {name: float(f"{int(us) / 1e6:.4g}") for name, us in told.items() if us is not None}


def _grew_most(bad: Mapping[str, float], usual: Mapping[str, float]) -> str | None:
    """Return the phase that grew most, the first of equals; None if none did."""
    whole = {name: bad[name] - usual[name] for name in bad if name in usual}
    grown = {name: by - sum(whole.get(part, 0.0) for part in _PARTS_OF.get(name, ())) for name, by in whole.items()}
    most = max(grown, key=lambda name: grown[name], default=None)
    return most if most and grown[most] > 0 else None


def _usually(usual: Mapping[str, float], name: str) -> str:
    if name in usual:
        return f"usually {seconds(usual[name])}"
    return "usually none" if usual else "nothing to compare with"


def _outcome(outcome: str) -> str:
    return "answered, but outside the objective" if outcome == "ok" else clean(outcome)


def _ending(row: Row) -> str:
    where = f", {clean(str(row['phase']))}" if row["outcome"] != "ok" else ""
    return f"{_outcome(str(row['outcome']))}{where}{', inside a 200 answer' if row['in_stream'] else ''}"


def _trace(row: Row) -> str:
    return f" (trace {row['trace_id']})" if row["trace_id"] else ""
