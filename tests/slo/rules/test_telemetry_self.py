"""Measurements that cannot be trusted look calm: what collectors say of themselves, on a real store."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from metrics_rig import NOW_S, asked, beat, insert, request, send

from slo.jump import Verdict
from slo.rules.rule import Found, Rule, Settings
from slo.rules.telemetry_self import REQUESTS, TelemetrySelfRule
from slo.telemetry_state import STALE_S
from telemetry.clock import STEP_MS_MAX
from telemetry.outcome import Eligibility, Outcome
from telemetry.samples import Heartbeat
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

RULE: Rule = TelemetrySelfRule(settings=Settings())
SILENT, TICKET, PAGE = Verdict.SILENT, Verdict.TICKET, Verdict.PAGE
Known = Mapping[str, object]
TOTALS = ("accepted_total", "clock_offset_us", "dlq_total")
"""What begins again with a boot."""


def beats(collector: str, known: Callable[[int], Known], n: int = 20, last_s: int = 1) -> list[Heartbeat]:
    """Heartbeats half a minute apart; `known` is given their number, from 0 on."""
    return [
        beat(collector, NOW_S - last_s - 30 * (n - 1 - at), **{"accepted_total": 1_000 * at} | dict(known(at)))
        for at in range(n)
    ]


def behind(seconds: int) -> Callable[[int], Known]:
    """What a heartbeat says whose watermark stopped; the last one is `seconds` behind."""
    return lambda _: {"watermark": (NOW_S - 1 - seconds) * 1000, "spooled": 77}


COLLECTORS: dict[str, tuple[list[Heartbeat], tuple[Verdict, bool]]] = {
    "is well": (beats("well", lambda _: {}), (SILENT, True)),
    "drops 0.1 %": (beats("at", lambda at: {"dropped_total": {"quota": at}}), (SILENT, True)),
    "drops more": (beats("above", lambda at: {"dropped_total": {"quota": at, "expired": at // 10}}), (TICKET, True)),
    "dropped before": (beats("before", lambda _: {"dropped_total": {"quota": 900}}), (SILENT, True)),
    "drops all it has": (
        beats("all", lambda at: {"accepted_total": at // 19, "dropped_total": {"io_error": at // 19}}),
        (TICKET, True),
    ),
    "began anew": (
        [*beats("anew", lambda _: dict.fromkeys(TOTALS, 9_000_000), 10, 400),
         *beats("anew", lambda _: {"boot": 2}, 10)],
        (SILENT, True),
    ),
    "has records refused": (beats("refused", lambda at: {"dlq_total": 5 + at // 19}), (TICKET, True)),
    "is 29 s behind": (beats("near", behind(29)), (SILENT, True)),
    "is 31 s behind": (beats("late", behind(31)), (TICKET, True)),
    "keeps its records in the spool": (beats("drifted", behind(301)), (PAGE, True)),
    "has a clock that stepped": (
        beats("stepped", lambda at: {"clock_offset_us": -1_000 * (STEP_MS_MAX + 1) * (at > 15)}),
        (TICKET, True),
    ),
    "has a clock that is slewed": (beats("slewed", lambda at: {"clock_offset_us": 400_000 * at}), (SILENT, True)),
    "is not heard": (beats("mute", behind(400), 5, STALE_S + 5), (SILENT, False)),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[Mapping[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    insert(writer, [row for rows, _ in COLLECTORS.values() for row in rows])
    yield {one.labels["collector"]: one for one in asked(reader, RULE, NOW_S) if "collector" in one.labels}
    writer.close()
    reader.close()


@pytest.mark.parametrize("collector", COLLECTORS)
def test_a_collector_that(collector: str, found: Mapping[str, Found]) -> None:
    rows, expected = COLLECTORS[collector]
    one = found[rows[0].collector]

    assert expected == (one.sound, one.is_known), one.words
    assert SILENT is one.naive


def test_what_is_wrong_is_told_at_once(found: Mapping[str, Found]) -> None:
    drifted = "drifted: the store takes its heartbeats and, since 301 s, not its records; 77 wait"

    assert drifted == found["drifted"].words["summary"]
    assert "above: 20 of 19000 records dropped" == found["above"].words["summary"]
    assert "refused: 1 records set aside because the store refused them" == found["refused"].words["summary"]
    assert "well: loses nothing and is up to date" == found["well"].words["summary"]


def of_endpoint(found: Sequence[Found], endpoint: str) -> Found:
    [one] = [one for one in found if one.labels == {"endpoint": endpoint}]
    return one


UNSEEN = {
    "few": (2 * REQUESTS, 2),
    "some": (2 * REQUESTS, 4),
    "many": (2 * REQUESTS, 6),
    "of too few": (REQUESTS - 1, 50),
}
"""Requests of an endpoint, and how many of them have an ending that nobody saw."""


def test_endings_that_nobody_saw(reader: Store, writer: Store) -> None:
    unseen: dict[str, object] = {"outcome": Outcome.UNOBSERVED, "eligible": Eligibility.EXCLUDED}
    rows = [
        request(f"unseen {name}", NOW_S - 60 - at, **unseen if at < lost else {})
        for name, (n, lost) in UNSEEN.items()
        for at in range(n)
    ]
    send(writer, rows)
    found = asked(reader, RULE, NOW_S)
    expected = {
        "few": (SILENT, SILENT, True),
        "some": (SILENT, TICKET, True),
        "many": (TICKET, TICKET, True),
        "of too few": (SILENT, TICKET, False),
    }

    for name, judged in expected.items():
        one = of_endpoint(found, f"unseen {name}")
        assert judged == (one.sound, one.naive, one.is_known), name


def test_bounds_are_settings(reader: Store, found: Mapping[str, Found]) -> None:
    options = {"lag_s": 400, "lag_page_s": 500, "unobserved_ratio": 1.0}
    lenient = TelemetrySelfRule(settings=Settings(threshold=2.0, options=options))
    told = {one.labels.get("collector"): one.sound for one in asked(reader, lenient, NOW_S)}

    assert found
    assert (SILENT, SILENT, SILENT, TICKET) == tuple(told[name] for name in ("all", "late", "drifted", "refused"))
