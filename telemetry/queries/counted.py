"""Knows how to count the requests of many compiled objectives in one question; refuses to know their targets.

An objective comes as clauses, which are SQL made of the names of `telemetry.queries.bounds` and numbered values.
Objectives whose clauses differ in their values alone are one SELECT over one row per request and objective; values
travel as arrays, one element for each objective. A clause is a number: 2 holds, 0 does not, 1 cannot be known.

Source: spec/slo.md 1 (expressions, `n_null`), 3 (eligible, censored); spec/store.md 4.5 (columns), 13 (parameters).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from telemetry.outcome import Outcome
from telemetry.queries import bounds
from telemetry.queries.asked import ENDED_WITHIN, Dim
from telemetry.queries.bounds import BAD, CENSORED, EXCLUDED, GOOD, Figure, Flag, Word
from telemetry.queries.question import PAGE_S, Question, Select

OBJECTIVES_MAX = 1_000
"""Objectives of one question."""
BUCKET_S = 30
"""Length of a bucket of counts (spec/store.md 4.5)."""
SELECTED_BY = (Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS, Dim.VARIANT, Dim.REPLICA)
"""Dimensions that an objective may select and group by."""
DEPLOY_S = 1_800
"""For how long after a deployment a model that is not found is its fault, and counts."""
REFERENCE_DAYS = 8
"""Requests that are judged may be of so many days before the window: of the same hours of a week."""
STATEMENT_CHARACTERS_MAX = 200_000
"""Longest statement; the embedded store takes 256 KiB (spec/store.md 8)."""
FALSE, UNKNOWN, TRUE = 0, 1, 2
"""Values of a clause."""

Value = float | str | tuple[float, ...] | tuple[str, ...]
"""What an expression compares with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A condition in SQL.

    Attributes:
        sql: The text; value number k stands in it as `$k`, and names are those of `bounds`.
        values: The values.
    """

    sql: str
    values: tuple[Value, ...] = ()


class Left(IntEnum):
    """How a request that its client left counts: by what it shows, never, or always as bad."""

    JUDGED = 0
    EXCLUDED = 1
    BAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An objective as the store counts it.

    Attributes:
        name: The objective.
        traffic: `user`, `probe` or `loadtest`; never mixed.
        group_by: Dimensions of `SELECTED_BY` of which each value is counted by itself.
        only: Which requests it speaks of, over `<figure>_raw`; None is all.
        eligible: Which of them count, over `<figure>_raw`; None leaves that to the classes of outcomes, of which
            `not_found` is bad for `DEPLOY_S` after a marker of a deployment of its endpoint, or of all.
        good: What a request must be, over `<figure>_lo` and `<figure>_hi`; None asks for the class alone.
        figures: Figures that the clauses name.
        needed: Those of them that `good` names.
        also_bad: Outcomes that are bad for this objective, whatever they are by default.
        also_excluded: Outcomes that do not count for it.
        left: How a request counts that its client left.
    """

    name: str
    traffic: str = "user"
    group_by: tuple[Dim, ...] = ()
    only: Clause | None = None
    eligible: Clause | None = None
    good: Clause | None = None
    figures: tuple[Figure, ...] = ()
    needed: tuple[Figure, ...] = ()
    also_bad: tuple[Outcome, ...] = ()
    also_excluded: tuple[Outcome, ...] = ()
    left: Left = Left.JUDGED


def counts(objectives: Sequence[Counted], since_ms: int, until_ms: int) -> Question:
    """Ask for the counts of the buckets [since, until) of all objectives, in the order of `slo_minutes`' key.

    Rows: `slo`, `group_key` (JSON object of the values that the objective is grouped by), `t_unix_s` (start of the
    bucket), `eligible` (good + bad), `good`, `bad` (outcome to count), `censored_bad` (bad ones that their client
    left), `excluded` (outcome to count), `n_null` (column to good requests whose value was needed and unknown).
    Buckets and groups without a row are absent.

    Args:
        objectives: At most `OBJECTIVES_MAX`, names different.
        since_ms: Start of the first bucket, unix milliseconds.
        until_ms: End of the last one, excluded.

    Raises:
        ValueError: The window is not made of whole buckets, there are no or too many objectives, or they are of so
            many forms that the statement is longer than a store takes: ask for fewer at once.
    """
    if not 0 < len(objectives) <= OBJECTIVES_MAX:
        raise ValueError(f"{len(objectives)} objectives; allowed are 1 to {OBJECTIVES_MAX}")
    if since_ms >= until_ms or since_ms % (BUCKET_S * 1000) or until_ms % (BUCKET_S * 1000):
        raise ValueError(f"a window from {since_ms} to {until_ms} is not made of buckets of {BUCKET_S} s")
    values: dict[str, object] = {"since": since_ms, "until": until_ms}
    if any(one.also_bad or one.also_excluded for one in objectives):
        values["outcomes"] = _OUTCOMES
    texts: list[str] = []
    for at, alike in enumerate(_forms(objectives).values()):
        form = _Form(name=f"f{at}", objectives=alike)
        texts.append(form.text())
        values |= dict(form.parameters())
    sql = tallied("\nUNION ALL\n".join(texts))
    if len(sql) > STATEMENT_CHARACTERS_MAX:
        raise ValueError(f"a statement of {len(sql)} characters; allowed are {STATEMENT_CHARACTERS_MAX}")
    # An evaluation that comes late is better than a blind one.
    return Question(sql=sql, parameters=values, seconds_max=PAGE_S)


def judged(one: Counted, columns: Sequence[str], where: Sequence[str]) -> tuple[Select, dict[str, object]]:
    """Return the requests of one objective, one row each, with their `verdict`, and the values that this needs.

    Args:
        one: The objective; what it is grouped by does not matter.
        columns: What else is wanted of a request: expressions over `inferometer.requests` whose aliases are no names of
            its columns.
        where: Which requests are meant; the window stands here.
    """
    form = _Form(name="f", objectives=[replace(one, group_by=())])
    values = dict(form.parameters())
    if one.also_bad or one.also_excluded:
        values["outcomes"] = _OUTCOMES
    return form.judged(columns, where), values


def _forms(objectives: Sequence[Counted]) -> dict[object, list[Counted]]:
    found: dict[object, list[Counted]] = {}
    for one in objectives:
        clauses = [(clause.sql, tuple(map(type, clause.values))) if clause else None for clause in _clauses(one)]
        found.setdefault((*clauses, one.figures, one.needed), []).append(one)
    return found


def _clauses(one: Counted) -> tuple[Clause | None, Clause | None, Clause | None]:
    return one.only, one.eligible, one.good


_OUTCOMES = [outcome.value for outcome in Outcome]
_CLAUSE_NAMES = ("only", "eligible", "good")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """Objectives whose text is one."""

    name: str
    objectives: Sequence[Counted]

    def text(self) -> str:
        return self._grouping(self._bounded((), ENDED_WITHIN), self.objectives[0]).text()

    def judged(self, columns: Sequence[str], where: Sequence[str]) -> Select:
        """Return the requests themselves, with what is wanted of them and their verdict."""
        verdict = f"{self._verdict(self.objectives[0])} AS verdict"
        return Select(columns=["*", verdict], source=self._bounded(columns, where))

    def _bounded(self, columns: Sequence[str], where: Sequence[str]) -> Select:
        # Few steps with few columns: the store spends more on understanding the statement than on the rows.
        first = self.objectives[0]
        chosen = Select(
            columns=[
                *self._columns(first),
                *map(bounds.raw, first.figures),
                *columns,
                f"{self._class(first)} AS class",
            ],
            source=f"inferometer.requests\nARRAY JOIN arrayEnumerate({self._array('slo', 'String', item='')}) AS i",
            where=[*where, f"traffic = {self._array('traffic', 'String')}", *self._only(first)],
        )
        bounded = Select(columns=["*", *(sql for one in first.figures for sql in bounds.bounds(one))], source=chosen)
        return bounded if first.figures else chosen

    def parameters(self) -> Iterator[tuple[str, object]]:
        yield f"{self.name}_slo", [one.name for one in self.objectives]
        yield f"{self.name}_traffic", [one.traffic for one in self.objectives]
        for name in ("also_bad", "also_excluded"):
            if any(getattr(one, name) for one in self.objectives):
                yield f"{self.name}_{name}", [_mask(getattr(one, name)) for one in self.objectives]
        if any(one.left for one in self.objectives):
            yield f"{self.name}_left", [int(one.left) for one in self.objectives]
        if self._dims():
            yield f"{self.name}_group_by", [[dim.value for dim in one.group_by] for one in self.objectives]
        for name, alike in zip(_CLAUSE_NAMES, zip(*map(_clauses, self.objectives), strict=True), strict=True):
            columns = zip(*(clause.values for clause in alike if clause), strict=True)
            for at, column in enumerate(columns):
                yield f"{self.name}_{name}_{at}", [_listed(value) for value in column]

    def _array(self, name: str, of: str, item: str = "[i]") -> str:
        return f"{{{self.name}_{name}:Array({of})}}{item}"

    def _clause(self, name: str, clause: Clause) -> str:
        def value(found: re.Match[str]) -> str:
            return self._array(f"{name}_{found[1]}", sql_type(clause.values[int(found[1])]))

        return re.sub(r"\$(\d+)", value, clause.sql)

    def _only(self, first: Counted) -> list[str]:
        return [f"{self._clause('only', first.only)} = {TRUE}"] if first.only else []

    def _columns(self, first: Counted) -> list[str]:
        """Return what the later steps look at, and no more."""
        text = " ".join(clause.sql for clause in _clauses(first) if clause)
        named = [one.value for one in (*Word, *Flag) if one.value in text or one.value in {*self._dims(), Word.OUTCOME}]
        needed = ["elapsed_us", "tokens_out", f"{bounds.HAD_OUTPUT} AS had_output"] if first.figures else []
        if Figure.TOKENS_IN in first.figures:
            needed.append(bounds.PROMPT_MOST)
        return ["i", "ended_at", *named, *needed]

    def _dims(self) -> list[Dim]:
        """Return the dimensions by which any of the objectives is grouped."""
        return [dim for dim in SELECTED_BY if any(dim in one.group_by for one in self.objectives)]

    def _class(self, first: Counted) -> str:
        cases: list[str] = []
        for name, verdict in (("also_bad", BAD), ("also_excluded", EXCLUDED)):
            if any(getattr(one, name) for one in self.objectives):
                cases.append(f"bitTest({self._array(name, 'UInt32')}, {_PLACE}), {verdict}")
        if first.eligible:
            asked = f"toUInt8(ifNull({self._clause('eligible', first.eligible)}, {FALSE}))"
            cases += [f"{asked} != {TRUE}, {EXCLUDED}", f"toUInt8(eligible) = {EXCLUDED}, {BAD}"]
        if any(one.left for one in self.objectives):
            left = self._array("left", "UInt8")
            cases.append(f"toUInt8(eligible) = {CENSORED} AND {left} > 0, if({left} = 1, {EXCLUDED}, {BAD})")
        cases.append("toUInt8(eligible)" if first.eligible else f"{_AFTER_DEPLOY}, {BAD}, toUInt8(eligible)")
        return f"toUInt8(multiIf({', '.join(cases)}))"

    def _verdict(self, first: Counted) -> str:
        truth = self._clause("good", first.good) if first.good else BY_CLASS
        judged = f"transform(toInt16({truth}), [{FALSE}, {TRUE}], [{BAD}, {GOOD}], {EXCLUDED})"
        return f"toUInt8(if(class = {EXCLUDED}, {EXCLUDED}, {judged}))"

    def _grouping(self, bounded: Select, first: Counted) -> Select:
        needed = {bounds.column(one): one for one in first.needed}
        unknown = ", ".join(
            f"'{column}', toUInt64(countIf(class = {GOOD} AND isNull({one.value}_raw)))"
            for column, one in needed.items()
        )
        keys = [f"{self._key(dim)} AS key_{dim.value}" for dim in self._dims()]
        return Select(
            columns=[
                f"{self._array('slo', 'String')} AS slo",
                f"{self._group_key()} AS group_key",
                f"intDiv(toUnixTimestamp(ended_at), {BUCKET_S}) * {BUCKET_S} AS t_unix_s",
                "toString(j.outcome) AS outcome",
                *("class", f"{self._verdict(first)} AS verdict", "count() AS rows"),
                f"{f'map({unknown})' if unknown else _NO_NULLS} AS n_null",
                *keys,
            ],
            source=f"(\n{bounded.text()}\n) AS j",
            group_by=["i", *(f"key_{dim.value}" for dim in self._dims()), "t_unix_s", "outcome", "class", "verdict"],
        )

    def _key(self, dim: Dim) -> str:
        return f"if({self._grouped(_quoted(dim))}, toString(j.{dim.value}), '')"

    def _group_key(self) -> str:
        values = ", ".join(f"'{dim.value}', key_{dim.value}" for dim in self._dims())
        return f"toJSONString(mapFilter((k, v) -> {self._grouped('k')}, map({values})))" if values else "'{}'"

    def _grouped(self, name: str) -> str:
        return f"has({self._array('group_by', 'Array(String)')}, {name})"


BY_CLASS = f"multiIf(class = {GOOD}, {TRUE}, class = {BAD}, {FALSE}, {UNKNOWN})"
"""The class of a request as a clause: what `ok` means of a request that failed or was left."""
_DEPLOYS = Select(
    columns=["groupArray((toString(endpoint), at))"],
    source="inferometer.markers",
    where=[
        "kind = 'deploy'",
        f"at > fromUnixTimestamp64Milli({{since:Int64}}) - INTERVAL {REFERENCE_DAYS} DAY - INTERVAL {DEPLOY_S} SECOND",
        "at < fromUnixTimestamp64Milli({until:Int64})",
    ],
).text()
_AFTER_DEPLOY = (
    "outcome = 'not_found' AND arrayExists(deploy -> deploy.1 IN ('', toString(endpoint)) AND deploy.2 <= ended_at"
    f" AND deploy.2 + INTERVAL {DEPLOY_S} SECOND > ended_at, ({_DEPLOYS}))"
)
_PLACE = "transform(toString(outcome), {outcomes:Array(String)}, range(length({outcomes:Array(String)})), 31)"
_NO_NULLS = "CAST(map(), 'Map(String, UInt64)')"


def tallied(source: str) -> str:
    """Return the sums of rows of `slo`, `group_key`, `t_unix_s`, `outcome`, `class`, `verdict`, `rows`, `n_null`."""
    return Select(
        columns=[
            *("slo", "group_key", "t_unix_s"),
            f"sumIf(rows, verdict != {EXCLUDED}) AS eligible",
            f"sumIf(rows, verdict = {GOOD}) AS good",
            f"sumMapIf(map(outcome, rows), verdict = {BAD}) AS bad",
            f"sumIf(rows, verdict = {BAD} AND class = {CENSORED}) AS censored_bad",
            f"sumMapIf(map(outcome, rows), verdict = {EXCLUDED}) AS excluded",
            "mapFilter((name, count) -> count > 0, sumMap(c.n_null)) AS n_null",
        ],
        source=f"(\n{source}\n) AS c",
        group_by=["slo", "group_key", "t_unix_s"],
        order_by=["slo", "group_key", "t_unix_s"],
    ).text()


def _quoted(dim: Dim) -> str:
    return f"'{dim.value}'"


def _mask(outcomes: Sequence[Outcome]) -> int:
    return sum(1 << _OUTCOMES.index(outcome.value) for outcome in set(outcomes))


def _listed(value: Value) -> object:
    return [*value] if isinstance(value, tuple) else value


def sql_type(value: Value) -> str:
    """Return the type of a value as a parameter."""
    if isinstance(value, tuple):
        return f"Array({sql_type(value[0])})"
    return "String" if isinstance(value, str) else "Float64"
