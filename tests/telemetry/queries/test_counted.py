"""Compiled objectives in one question; what they count is shown on a store in tests/slo."""

import json
import re
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries.asked import Dim
from telemetry.queries.bounds import Figure
from telemetry.queries.counted import (
    BUCKET_S,
    DEPLOY_S,
    FALSE,
    OBJECTIVES_MAX,
    STATEMENT_CHARACTERS_MAX,
    TRUE,
    Clause,
    Counted,
    Left,
    counts,
)


def within(limit_s: float, name: str = "x") -> Counted:
    clause = Clause(sql="if(ttft_s_hi <= $0, 2, 0)", values=(limit_s,))
    return Counted(name=name, good=clause, figures=(Figure.TTFT_S,), needed=(Figure.TTFT_S,))


def test_objectives_that_differ_in_values_alone_are_one_form() -> None:
    one = counts([within(1.0)], 0, 30_000)
    many = counts([within(float(at), str(at)) for at in range(OBJECTIVES_MAX)], 0, 30_000)
    other = counts([within(1.0), Counted(name="y")], 0, 30_000)

    assert one.sql == many.sql
    assert 1 == other.sql.count("UNION ALL")
    for question in (one, many, other):
        assert set(re.findall(r"\{(\w+):", question.sql)) == set(question.parameters)


def test_without_a_condition_the_class_is_the_verdict(stored: Stored) -> None:
    until_ms = SINCE_MS + 3_600_000
    rows = stored.rows(counts([Counted(name="x", group_by=(Dim.MODEL,))], SINCE_MS, until_ms))
    told = {
        (json.loads(str(row["group_key"]))["model"], row["t_unix_s"]): (row["good"], row["eligible"]) for row in rows
    }
    seen: dict[tuple[str, int], list[str]] = {}
    for one in stored.records:
        if one.ended_at < until_ms and one.traffic == "user":
            seen.setdefault((one.model, one.ended_at // 1000 // BUCKET_S * BUCKET_S), []).append(str(one.eligible))

    assert {key: (of.count("good"), of.count("good") + of.count("bad")) for key, of in seen.items()} == told


def test_what_is_not_found_after_a_deployment_is_bad_for_half_an_hour(stored: Stored) -> None:
    at_ms = SINCE_MS - 200 * 3_600_000
    deploys = [("", 0), ("other", 3_600)]
    stored.insert_rows(
        "markers",
        [
            {"at": (at_ms // 1000) + at_s, "kind": kind, "endpoint": endpoint}
            for endpoint, at_s in deploys
            for kind in ("deploy", "incident")
        ],
    )
    seconds = (-1, 0, DEPLOY_S - 1, DEPLOY_S, 3_600, 3_601)
    rows = [
        msgspec.structs.replace(
            stored.records[0], ended_at=at_ms + at_s * 1000, endpoint=endpoint, outcome=Outcome.NOT_FOUND,
            eligible=Eligibility.EXCLUDED, record_id=UUID(int=n + 1),
        )
        for n, (at_s, endpoint) in enumerate([(at_s, name) for at_s in seconds for name in ("here", "other")])
    ]  # fmt: skip
    stored.insert("deploys", rows)
    until_ms = at_ms + 2 * 3_600_000

    def bad(one: Counted) -> list[tuple[str, int]]:
        found = stored.rows(counts([replace(one, group_by=(Dim.ENDPOINT,))], at_ms - 60_000, until_ms))
        counted = [(row["group_key"], row["t_unix_s"], row["eligible"]) for row in found]
        return sorted((json.loads(str(key))["endpoint"], int(str(t)) - at_ms // 1000) for key, t, n in counted if n)

    late = DEPLOY_S - 30
    assert bad(Counted(name="x")) == [("here", 0), ("here", late), ("other", 0), ("other", late), ("other", 3_600)]
    assert bad(Counted(name="x", also_excluded=(Outcome.NOT_FOUND,))) == [], "what is said wins"
    assert (
        bad(
            Counted(
                name="x",
                eligible=Clause(sql=f"if(http_status_raw = 1, {TRUE}, {FALSE})"),
                figures=(Figure.HTTP_STATUS,),
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("phase", "bytes_in", "bad"),
    [(Phase.QUEUED, 2_000, 1), (Phase.QUEUED, 200_000, 0), (Phase.QUEUED, 0, 0), (Phase.CONNECT, 2_000, 0)],
)
def test_a_prompt_that_nobody_told_is_no_longer_than_the_bytes_that_were_sent(
    stored: Stored, phase: Phase, bytes_in: int, bad: int
) -> None:
    at_ms = SINCE_MS - 210 * 3_600_000
    name = f"left {phase} {bytes_in}"
    left = msgspec.structs.replace(
        stored.records[0], ended_at=at_ms, endpoint=name, outcome=Outcome.CLIENT_CANCELLED, phase=phase, ttft_us=None,
        eligible=Eligibility.CENSORED, elapsed_us=12_000_000, tokens_in=None, bytes_in=bytes_in,
    )  # fmt: skip
    stored.insert(name, [left])
    limit = "multiIf(ttft_s_hi <= 1 + tokens_in_lo / 5000, 2, ttft_s_lo > 1 + tokens_in_hi / 5000, 0, 1)"
    one = Counted(
        name="x",
        only=Clause(sql=f"if(toString(endpoint) = $0, {TRUE}, {FALSE})", values=(name,)),
        good=Clause(sql=limit),
        figures=(Figure.TTFT_S, Figure.TOKENS_IN),
    )
    (row,) = stored.rows(counts([one], at_ms, at_ms + 30_000))

    assert (row["eligible"], row["excluded"]) == (bad, {} if bad else {"client_cancelled": 1})


def test_each_part_of_an_objective_is_heard(stored: Stored) -> None:
    only = Clause(sql="if(toString(region) = $0, 2, 0)", values=("eu",))
    listed = Clause(sql=f"if(has($0, toString(model)), {TRUE}, {FALSE})", values=(("small", "it's"),))
    objectives = [
        Counted(name="region", only=only),
        Counted(name="eligible", eligible=listed),
        Counted(name="left", left=Left.BAD),
        Counted(name="bad", also_bad=(Outcome.OK,)),
        Counted(name="excluded", also_excluded=(Outcome.OK,)),
        Counted(name="probes", traffic="probe"),
    ]
    rows = stored.rows(counts(objectives, SINCE_MS, UNTIL_MS))
    good = {one.name: sum(int(str(row["good"])) for row in rows if row["slo"] == one.name) for one in objectives}
    left = sum(int(str(row["censored_bad"])) for row in rows if row["slo"] == "left")
    ok = [one for one in stored.records if one.outcome == "ok"]

    assert {
        "region": sum(one.region == "eu" for one in ok),
        "eligible": sum(one.model in {"small", "it's"} for one in ok),
        "left": len(ok),
        "bad": 0,
        "excluded": 0,
        "probes": 0,
    } == good
    assert 0 == left  # declared bad, not censored


def test_a_question_is_bounded() -> None:
    for refused in ([], [within(1.0)] * (OBJECTIVES_MAX + 1)):
        with pytest.raises(ValueError, match="objectives; allowed are"):
            counts(refused, 0, 30_000)
    for since_ms, until_ms in ((0, 0), (1, 30_000), (0, 30_001)):
        with pytest.raises(ValueError, match="is not made of buckets of 30 s"):
            counts([within(1.0)], since_ms, until_ms)
    short = len(counts([Counted(name="x", good=Clause(sql="2"))], 0, 30_000).sql)
    fits = Clause(sql="2".ljust(STATEMENT_CHARACTERS_MAX - short + 1))

    assert STATEMENT_CHARACTERS_MAX == len(counts([Counted(name="x", good=fits)], 0, 30_000).sql)
    with pytest.raises(ValueError, match="a statement of 200001 characters; allowed are 200000"):
        counts([Counted(name="x", good=Clause(sql=fits.sql + " "))], 0, 30_000)
