"""Engines that stand still and engines that work twice, on a real store: what a health check says, and what is true."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from metrics_rig import NOW_S, ask, asked, insert, request, scrape, send

from slo.jump import Verdict
from slo.rules.engines import KvThrashRule, StalledEngineRule
from slo.rules.rule import Found, Mode, Rule, Settings
from slo.rules.scraped import FRESH_S
from telemetry.samples import EngineSample
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

STALLED: Rule = StalledEngineRule(settings=Settings())
THRASH: Rule = KvThrashRule(settings=Settings())
SILENT, TICKET, PAGE = Verdict.SILENT, Verdict.TICKET, Verdict.PAGE
Known = dict[str, object]
Judged = tuple[Verdict, Verdict, bool]
"""Soundly, naively, and whether it is known."""


def scraped(endpoint: str, states: Sequence[Known], every_s: float = 10) -> list[EngineSample]:
    """Scrapes of one replica, the last one half a step ago."""
    first_s = NOW_S - every_s * (len(states) - 0.5)
    return [scrape(endpoint, "r0", first_s + every_s * n, **known) for n, known in enumerate(states)]


def made(*tokens: int | None, **known: object) -> list[Known]:
    return [{"generation_tokens_total": one} | known for one in tokens]


def judged(one: Found) -> Judged:
    return one.sound, one.naive, one.is_known


def found_of(process: StoreProcess, rule: Rule, rows: list[EngineSample]) -> Mapping[str, Found]:
    writer, reader = process.store("writer"), process.store("reader")
    insert(writer, rows)
    found = {one.labels["endpoint"]: one for one in asked(reader, rule, NOW_S)}
    writer.close()
    reader.close()
    return found


ENDINGS: dict[str, tuple[list[Known], float, Judged]] = {
    "stood still for 40 s, and answers its health check": (made(80, 90, 90, 90, 90, 90), 10, (PAGE, SILENT, True)),
    "stood still for 30 s over two scrapes": (made(80, 90, 90), 30, (PAGE, SILENT, True)),
    "stood still for 20 s": (made(70, 80, 90, 90, 90), 10, (SILENT, SILENT, True)),
    "was scraped once": (made(90), 30, (SILENT, SILENT, True)),
    "makes tokens": (made(50, 60, 70, 80, 90), 10, (SILENT, SILENT, True)),
    "has nothing to do": (made(90, 90, 90, 90, 90, 90, running=0), 10, (SILENT, SILENT, True)),
    "was asked after a rest": ([*made(90, 90, 90, 90, running=0), *made(90, 90)], 10, (SILENT, SILENT, True)),
    "reads prompts": ([made(90, prompt_tokens_total=n)[0] for n in range(6)], 10, (SILENT, SILENT, True)),
    "reads one long prompt": ([made(90, kv_used_ratio=n / 10)[0] for n in range(6)], 10, (SILENT, SILENT, True)),
    "did not tell what runs until 20 s ago": (
        [*made(90, 90, 90, running=None), *made(90, 90)],
        10,
        (SILENT, SILENT, True),
    ),
    "stands with a full cache": (made(*[90] * 6, kv_used_ratio=0.99), 10, (PAGE, SILENT, True)),
    "began anew 20 s ago": ([*made(0, 0, 0), *made(0, reset=1), *made(0, 0)], 10, (SILENT, SILENT, True)),
    "began anew 40 s ago": ([*made(9), *made(0, reset=1), *made(0, 0, 0, 0)], 10, (PAGE, SILENT, True)),
    "did not answer in between": (
        [*made(9, 9), *made(None, up=0, running=None), *made(9, 9)],
        10,
        (PAGE, SILENT, True),
    ),
    "does not answer any more": ([*made(9) * 5, *made(None, up=0, running=None) * 12], 10, (SILENT, PAGE, False)),
    "tells no tokens": (made(*[None] * 6), 10, (SILENT, SILENT, False)),
    "counts when a request ends": (made(*[90] * 6, engine="sglang"), 10, (SILENT, SILENT, False)),
    "counts when a request ends, and one did": (made(1, 2, 3, 4, 5, engine="sglang"), 10, (SILENT, SILENT, True)),
    "tells nothing of what runs": (made(*[90] * 6, running=None), 10, (SILENT, SILENT, False)),
}


@pytest.fixture(scope="module")
def stalls(process: StoreProcess) -> Mapping[str, Found]:
    """What is found of every ending at once, by endpoint."""
    rows = [row for ending, (states, every_s, _) in ENDINGS.items() for row in scraped(ending, states, every_s)]
    return found_of(process, STALLED, rows)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_engine_that(ending: str, stalls: Mapping[str, Found]) -> None:
    assert ENDINGS[ending][2] == judged(stalls[ending]), stalls[ending].words


def test_a_stalled_engine_that_is_not_scraped_any_more_is_not_known(reader: Store, writer: Store) -> None:
    insert(writer, scraped("lost", made(80, 90, 90, 90, 90)))
    heard_s = NOW_S - 5

    assert (PAGE, SILENT, True) == judged(ask(reader, STALLED, heard_s + FRESH_S, "lost")["r0"])
    for after_s in (FRESH_S + 1, 3_000):
        assert (SILENT, SILENT, False) == judged(ask(reader, STALLED, heard_s + after_s, "lost")["r0"])
    assert {} == ask(reader, STALLED, heard_s + 4_000, "lost")


def test_an_answer_that_ended_well_since_is_no_stall_of_its_replica(reader: Store, writer: Store) -> None:
    standing = scraped("streams", made(80, 90, 90, 90, 90, 90))
    insert(writer, [msgspec.structs.replace(one, replica=name) for name in ("r0", "r1", "r2") for one in standing])
    ends = [
        request("streams", NOW_S - 20, replica="r1"),
        request("streams", NOW_S - 41, replica="r2"),
        request("streams", NOW_S - 1, replica="r0", api="http", tokens_out=None, n_out_events=0),
    ]
    send(writer, ends)
    found = ask(reader, STALLED, NOW_S, "streams")

    assert {"r0": (PAGE, SILENT, True), "r1": (SILENT, SILENT, True), "r2": (PAGE, SILENT, True)} == {
        name: judged(found[name]) for name in found
    }
    assert "streams/r0 made no token for 40 s while 4 requests run" == found["r0"].words["summary"]
    assert "streams/r2 made no token for 36 s while 4 requests run" == found["r2"].words["summary"]


def test_patience_is_a_setting(reader: Store, writer: Store) -> None:
    insert(writer, scraped("patient", made(80, 90, 90, 90, 90, 90)))
    patient = StalledEngineRule(settings=Settings(threshold=41))

    assert (SILENT, SILENT, True) == judged(ask(reader, patient, NOW_S, "patient")["r0"])


def busy(
    endpoint: str, preempted: Sequence[int], kv: float = 0.5, requests: int = 6, **known: object
) -> list[EngineSample]:
    """Minutes of an engine that ends so many requests in each, which read 1,000 tokens and write 200."""
    counters: list[Known] = [
        {
            "prompt_tokens_total": 1_000 * requests * n,
            "generation_tokens_total": 200 * requests * n,
            "preemptions_total": sum(preempted[: n + 1]),
            "success_total": {"stop": requests * n - n, "length": n},
            "kv_used_ratio": kv,
        }
        | known
        for n in range(len(preempted))
    ]
    return scraped(endpoint, counters, 60)


CALM, THRASHING = [0] * 15, [1] * 15
"""Preemptions a minute: one is 1,100 of 7,200 tokens, 15 %."""
WORK: dict[str, tuple[list[EngineSample], Judged]] = {
    "loses one request a minute, and its cache looks fine": (busy("thrash", THRASHING), (TICKET, SILENT, True)),
    "has a full cache and loses nothing": (busy("full", CALM, 0.99), (SILENT, TICKET, True)),
    "lost some, and does no more": (busy("lost", [*[9] * 9, *[0] * 6]), (SILENT, SILENT, True)),
    "loses two of five": (busy("two", [*[0] * 5, *[1, 0, 1, 0, 0] * 2], requests=1), (SILENT, SILENT, True)),
    "loses three of five": (busy("three", [*[0] * 5, *[1, 0, 1, 0, 1] * 2], requests=1), (TICKET, SILENT, True)),
    "loses some since a minute": (busy("loses", [*[0] * 14, 9]), (SILENT, SILENT, True)),
    "tells no preemptions": (busy("untold", THRASHING, preemptions_total=None), (SILENT, SILENT, False)),
    "tells no endings": (busy("endless", THRASHING, success_total={}), (SILENT, SILENT, False)),
    "was scraped for seven minutes of ten": (busy("brief", [3] * 8), (SILENT, SILENT, False)),
    "has just begun": (busy("begun", [1] * 4), (SILENT, SILENT, False)),
}


@pytest.fixture(scope="module")
def thrashes(process: StoreProcess) -> Mapping[str, Found]:
    return found_of(process, THRASH, [row for rows, _ in WORK.values() for row in rows])


@pytest.mark.parametrize("work", WORK)
def test_an_engine_that_is_busy_and(work: str, thrashes: Mapping[str, Found]) -> None:
    assert WORK[work][1] == judged(thrashes[WORK[work][0][0].endpoint])


@pytest.mark.parametrize("told", [0, 1])
def test_no_rate_goes_across_a_restart(told: int, reader: Store, writer: Store) -> None:
    minutes_up = [*range(7), *range(5), *range(3)]  # it begins anew once in each half of the window
    preempted = [*[0] * 7, *[9] * 5, *[18] * 3]
    states: list[Known] = [
        {
            "prompt_tokens_total": 6_000 * up,
            "generation_tokens_total": 1_200 * up,
            "preemptions_total": lost,
            "success_total": {"stop": 6 * up},
            "reset": told * (up == 0),
        }
        for up, lost in zip(minutes_up, preempted, strict=True)
    ]
    insert(writer, scraped(f"restarted {told}", states, 60))

    found = ask(reader, THRASH, NOW_S, f"restarted {told}")["r0"]
    assert (SILENT, SILENT, True) == judged(found), found.words


def test_an_engine_that_thrashes_and_is_not_scraped_any_more_is_not_known(reader: Store, writer: Store) -> None:
    insert(writer, busy("gone", THRASHING))

    last_s = NOW_S - 30

    assert (TICKET, SILENT, True) == judged(ask(reader, THRASH, last_s + FRESH_S, "gone")["r0"])
    assert (SILENT, SILENT, False) == judged(ask(reader, THRASH, last_s + FRESH_S + 1, "gone")["r0"])


def test_the_use_of_a_cache_alone_needs_no_counters(reader: Store, thrashes: Mapping[str, Found]) -> None:
    naive = KvThrashRule(settings=Settings(mode=Mode.NAIVE))

    assert not thrashes["untold"].is_known
    assert (SILENT, SILENT, True) == judged(ask(reader, naive, NOW_S, "untold")["r0"])


def test_the_share_is_said(reader: Store, writer: Store) -> None:
    insert(writer, busy("said", THRASHING))
    found = ask(reader, THRASH, NOW_S, "said")["r0"]
    other = KvThrashRule(settings=Settings(threshold=0.2))

    assert "said/r0 computes 15% of its tokens again, with 50% of its KV cache in use" == found.words["summary"]
    assert (SILENT, SILENT, True) == judged(ask(reader, other, NOW_S, "said")["r0"])
