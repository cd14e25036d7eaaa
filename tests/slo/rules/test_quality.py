"""Answers that come with status 200 and look wrong, on a real store."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from metrics_rig import NOW_S, asked, insert, request, scrape, send

from slo.jump import Verdict
from slo.rules.quality import ANSWERS, QualityCanaryRule
from slo.rules.rule import Found, Rule, Settings
from slo.rules.scraped import FRESH_S
from telemetry.outcome import Eligibility, Outcome
from telemetry.record import RequestRecord
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

RULE: Rule = QualityCanaryRule(settings=Settings())
SILENT, TICKET = Verdict.SILENT, Verdict.TICKET
DAY_S = 86_400
Known = dict[str, object]
GOOD: Known = {"tokens_out": 100}
BAD: Known = {"outcome": Outcome.BAD_OUTPUT, "eligible": Eligibility.BAD, "tokens_out": 0, "tpot_us": None}
EMPTY, REPEATING = BAD | {"n_out_events": 0}, BAD | {"finish_reason": "repetition"}
BROKEN: Known = {"outcome": Outcome.SERVER_ERROR, "eligible": Eligibility.BAD, "http_status": 500, "tokens_out": None}


def answered(endpoint: str, states: Sequence[Known], days_ago: int = 0) -> list[RequestRecord]:
    """Answers of the last hour, or at the same time some days ago."""
    return [request(endpoint, NOW_S - days_ago * DAY_S - 60 - 5 * at, **one) for at, one in enumerate(states)]


def lengths(*tokens: int, n: int = 2 * ANSWERS) -> list[Known]:
    return [{"tokens_out": tokens[at % len(tokens)]} for at in range(n)]


CALM = [GOOD] * (6 * ANSWERS)
ANSWERED: dict[str, tuple[list[Known], list[Known], tuple[Verdict, Verdict, bool]]] = {
    "good": ([GOOD] * ANSWERS, CALM, (SILENT, SILENT, True)),
    "empty, some of them": ([*[GOOD] * ANSWERS, *[EMPTY] * 8], CALM, (TICKET, SILENT, True)),
    "empty as often as ever": (
        [*[GOOD] * ANSWERS, *[EMPTY] * 8], [*CALM, *[EMPTY] * 48], (SILENT, SILENT, True),
    ),
    "empty twice": ([*[GOOD] * ANSWERS, *[EMPTY] * 2], CALM, (SILENT, SILENT, True)),
    "half as long": (lengths(20, 80), CALM, (TICKET, SILENT, True)),
    "a bit shorter": (lengths(30, 100), CALM, (SILENT, SILENT, True)),
    "half as long, of lengths that prove nothing": (lengths(*[0] * 19, 1_000), CALM, (SILENT, SILENT, True)),
    "failing for a gateway to see": ([*[GOOD] * ANSWERS, *[BROKEN] * 9], CALM, (SILENT, TICKET, True)),
    "too few": ([*[GOOD] * 50, *[EMPTY] * 49], CALM, (SILENT, SILENT, False)),
    "new": (lengths(20, 80), [], (SILENT, SILENT, False)),
    "of lengths that nobody told": (lengths(20, 80), [{"tokens_out": None}] * 600, (SILENT, SILENT, True)),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[Mapping[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    rows = [row for name, (now, _, _) in ANSWERED.items() for row in answered(name, now)]
    for name, (_, usual, _) in ANSWERED.items():
        rows += answered(name, usual, 3)
        rows += [request(name, NOW_S - 3 * DAY_S - 7_200 - at, tokens_out=20) for at in range(50)]  # another hour
    send(writer, rows)
    yield {one.labels["endpoint"]: one for one in asked(reader, RULE, NOW_S) if "model" in one.labels}
    writer.close()
    reader.close()


@pytest.mark.parametrize("answers", ANSWERED)
def test_answers_that_are(answers: str, found: Mapping[str, Found]) -> None:
    one = found[answers]

    assert ANSWERED[answers][2] == (one.sound, one.naive, one.is_known), one.words


def test_what_is_wrong_is_told(found: Mapping[str, Found], reader: Store, writer: Store) -> None:
    send(writer, answered("both", [*lengths(20, 80), *[EMPTY] * 8, *[REPEATING] * 5]) + answered("both", CALM, 1))
    [both] = [one for one in asked(reader, RULE, NOW_S) if one.labels["endpoint"] == "both"]

    assert found["empty, some of them"].bad == 8
    assert both.words["summary"].endswith(
        "13 of 213 answers are bad (8 empty, 5 repeating), 0 of 600 were; "
        "answers have 50 tokens in the mean, 100 before"
    )


def test_bounds_are_settings(reader: Store, found: Mapping[str, Found]) -> None:
    settings = Settings(threshold=0.2, min_events=50)
    told = {one.labels["endpoint"]: one for one in asked(reader, QualityCanaryRule(settings=settings), NOW_S)}

    assert found
    assert (TICKET, True) == (told["a bit shorter"].sound, told["too few"].is_known)


def test_an_engine_that_looks_for_nan_and_finds_it(reader: Store, writer: Store) -> None:
    totals = {"sick": (3, 3, 5), "healed": (9, 9, 9), "restarted": (9, 0, 0), "blind": None}
    rows = [
        scrape("nan", name, NOW_S - 30 + 10 * at, reset=int(name == "restarted" and at == 1),
               extra={} if of is None else {"corrupted_requests_total": of[at]})
        for name, of in totals.items() for at in range(3)
    ]  # fmt: skip
    insert(writer, rows)
    found = {one.labels.get("replica"): one for one in asked(reader, RULE, NOW_S) if one.labels["endpoint"] == "nan"}
    later = [one for one in asked(reader, RULE, NOW_S + 600 + FRESH_S) if one.labels["endpoint"] == "nan"]

    assert {"sick": TICKET, "healed": SILENT, "restarted": SILENT} == {name: one.sound for name, one in found.items()}
    assert "nan/sick met NaN in the outputs of 2 requests" == found["sick"].words["summary"]
    assert {(SILENT, False)} == {(one.sound, one.is_known) for one in later}
