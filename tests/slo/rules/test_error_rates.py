"""Rates that jump, by class and as a whole: both readings, over made counts and over a real store."""

from collections.abc import Mapping
from uuid import UUID

import msgspec
import pytest

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.lasting import FOR_S
from slo.rules.error_rates import EVERY_S, KINDS, OOM_PAGE, ErrorRateRule, OomRule
from slo.rules.rule import Found, Row, RuleId, Settings
from telemetry.outcome import Eligibility, Outcome
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

PAGE, TICKET, SILENT = Verdict.PAGE, Verdict.TICKET, Verdict.SILENT
AT_S = 1_790_000_000 // 60 * 60
N_PLACES = 10
PLACES = {RuleId.ERROR_RATE_5XX: 3, RuleId.ERROR_RATE_OOM: 5, RuleId.ERROR_RATE_AUTH: 8, RuleId.ABANDONMENT: 2}
JUMP = ErrorRateRule(id=RuleId.ERROR_RATE_JUMP, settings=Settings())


def made(
    short: tuple[int, int],
    before: tuple[int, int],
    *,
    places: tuple[int, ...] = (0, 1),
    last: tuple[int, int] | None = None,
    squares: int = 0,
) -> Row:
    """Return an answer: failed and all requests, of the short and long window alike, and of the day before."""
    spans = [short if last is None else last, short, short, short, before, before]
    failed = [[bad if place in places else 0 for place in range(N_PLACES)] for bad, _ in spans]
    n = [of for _, of in spans]
    return {
        "endpoint": "chat",
        "model": "m",
        "n": n,
        "eligible": n,
        "failed": failed,
        "squares": [squares] * N_PLACES,
    }


def found(rule: ErrorRateRule, row: Row) -> Found:
    (one,) = rule.judge(AT_S, {"failures": [row]})
    return one


@pytest.mark.parametrize(
    ("now", "before", "sound"),
    [
        ((1, 60), (17, 17_280), SILENT),
        ((4, 60), (17, 17_280), PAGE),
        ((12, 6_000), (1_728, 1_728_000), SILENT),
        ((30, 6_000), (1_728, 1_728_000), PAGE),
        ((60, 6_000), (3_456, 1_728_000), PAGE),
        ((80, 6_000), (5_184, 1_728_000), TICKET),
    ],
    ids=["one error", "four errors", "0.2 %", "0.5 % of 0.1", "1 % of 0.2", "1.3 % of 0.3"],
)
def test_a12_a_jump_must_be_proven(now: tuple[int, int], before: tuple[int, int], sound: Verdict) -> None:
    one = found(JUMP, made(now, before))

    assert (one.sound, one.is_known, one.labels) == (sound, True, {"endpoint": "chat", "model": "m"})
    assert one.naive == (PAGE if now[0] * 200 >= now[1] and now[0] * before[1] >= 5 * before[0] * now[1] else SILENT)


def test_what_is_said_has_the_figures_of_both_readings() -> None:
    words = found(JUMP, made((4, 60), (17, 17_280))).words

    assert words["summary"] == (
        "chat m: 4 of 60 (6.67%) ended badly over 5m, 4 of 60 (6.67%) over 1h, 0.10% in the 24 h before"
    )
    assert words["naive"] == "4 of 60 (6.67%) over 5m"
    assert words["sound"].startswith("p = 1.2e-05 ")


def test_a_hiccup_that_the_last_minute_does_not_show_is_silent() -> None:
    assert found(JUMP, made((30, 600), (17, 17_280), last=(0, 120))).sound is SILENT


def test_errors_that_come_in_bursts_prove_less() -> None:
    """A day of 17 errors in one minute: variance 17, so the counts are divided by 17."""
    row = made((8, 600), (17, 172_800))

    assert found(JUMP, row).sound is PAGE
    assert found(JUMP, {**row, "squares": [17 * 17] * N_PLACES}).sound is SILENT


def test_without_a_day_before_nothing_is_known() -> None:
    one = found(JUMP, made((60, 60), (0, 0)))

    assert (one.sound, one.is_known) == (SILENT, False)
    assert one.words["summary"].endswith("nothing known before")


def test_without_requests_now_there_are_no_errors() -> None:
    one = found(JUMP, made((0, 0), (17, 17_280)))

    assert (one.sound, one.naive, one.is_known) == (SILENT, SILENT, True)


def test_what_is_configured_holds() -> None:
    row = made((30, 6_000), (1_728, 1_728_000))
    strict = ErrorRateRule(id=RuleId.ERROR_RATE_JUMP, settings=Settings(threshold=0.01))
    few = ErrorRateRule(id=RuleId.ERROR_RATE_JUMP, settings=Settings(min_events=6_001))

    assert [found(rule, row).sound for rule in (JUMP, strict, few)] == [PAGE, SILENT, SILENT]
    long = ErrorRateRule(id=RuleId.ERROR_RATE_JUMP, settings=Settings(window_s=7_200))
    spans = long.questions(AT_S)["failures"].parameters
    assert (spans["since_1"], spans["since_2"]) == (AT_S - 600, AT_S - 7_200)


@pytest.mark.parametrize(("rule", "place"), PLACES.items())
def test_a_rule_counts_its_own_class(rule: RuleId, place: int) -> None:
    one = ErrorRateRule(id=rule, settings=Settings())

    assert found(one, made((40, 600), (17, 17_280), places=(place,))).sound is KINDS[rule].most
    assert found(one, made((40, 600), (17, 17_280), places=tuple({*range(N_PLACES)} - {place}))).sound is SILENT


def test_all_rules_of_a_rate_ask_one_question() -> None:
    rules = [ErrorRateRule(id=one, settings=Settings()) for one in KINDS]

    assert {rule.every_s for rule in rules} == {EVERY_S}
    assert {rule.for_s for rule in rules} == {FOR_S}
    assert {rule.kind for rule in rules} == {Kind.ERRORS, Kind.ERROR_CLASS, Kind.OTHER}
    assert all(rule.questions(AT_S) == OomRule(settings=Settings()).questions(AT_S) for rule in rules)


@pytest.mark.parametrize(
    ("n", "verdict"), [(0, SILENT), (1, TICKET), (OOM_PAGE - 1, TICKET), (OOM_PAGE, PAGE)], ids=str
)
def test_out_of_memory_is_told_at_once(n: int, verdict: Verdict) -> None:
    (one,) = OomRule(settings=Settings()).judge(AT_S, {"failures": [made((n, 9), (0, 9), places=(5,))]})

    assert (one.sound, one.labels, one.bad) == (verdict, {"endpoint": "chat"}, n)


def test_the_time_in_which_out_of_memory_is_counted_may_be_set() -> None:
    rule = OomRule(settings=Settings(window_s=3_600))
    (one,) = rule.judge(AT_S, {"failures": [made((1, 9), (0, 9), places=(5,))]})

    assert rule.questions(AT_S)["failures"].parameters["since_3"] == AT_S - 3_600
    assert one.words["summary"] == "chat: 1 requests ended for want of memory over 1h"


def test_out_of_memory_is_counted_over_the_models_of_an_endpoint() -> None:
    row = made((2, 9), (0, 9), places=(5,))
    (one,) = OomRule(settings=Settings(threshold=4)).judge(AT_S, {"failures": [row, {**row, "model": "other"}]})

    assert one.sound is PAGE


def requests(writer: Store, endpoint: str, at_s: int, counts: Mapping[Outcome, int], *, in_stream: int = 0) -> None:
    """Let requests end just before an instant."""
    records: list[RequestRecord] = []
    for outcome, n in counts.items():
        for _ in range(n):
            number = int.from_bytes(endpoint.encode()[-4:]) * 1_000_000 + at_s % 1_000_000 * 1_000 + len(records)
            ok = outcome is Outcome.OK
            changed = msgspec.structs.replace(
                sample_request(number, at_s * 1_000 - 1),
                record_id=UUID(int=number),
                endpoint=endpoint,
                outcome=outcome,
                eligible=Eligibility.GOOD if ok else Eligibility.BAD,
                in_stream=0 if ok else in_stream,
                http_status=200 if ok or in_stream else 500,
            )
            records.append(changed)
    batch = RequestBatch(collector=f"rates/{endpoint}", seqs=tuple(range(len(records))), records=tuple(records))
    writer.insert_requests(batch, f"rates-{endpoint}-{at_s}")


@pytest.mark.parametrize(
    ("in_stream", "naive"), [(1, SILENT), (0, PAGE)], ids=["inside a stream", "with a status of its own"]
)
def test_a10_errors_inside_a_stream_are_counted_and_http_does_not_show_them(
    reader: Store, writer: Store, in_stream: int, naive: Verdict
) -> None:
    endpoint = f"rates-a10-{in_stream}"
    requests(writer, endpoint, AT_S - 7_200, {Outcome.OK: 2_000})
    requests(writer, endpoint, AT_S, {Outcome.OK: 100, Outcome.STREAM_ERROR: 20}, in_stream=in_stream)
    of: dict[RuleId, Found] = {}
    for one in KINDS:
        rule = ErrorRateRule(id=one, settings=Settings())
        rows = {name: reader.query(question) for name, question in rule.questions(AT_S).items()}
        (of[one],) = (found for found in rule.judge(AT_S, rows) if found.labels["endpoint"] == endpoint)

    told = {one: (found.sound, found.naive) for one, found in of.items() if found.sound is not SILENT}
    assert told == {RuleId.ERROR_RATE_JUMP: (PAGE, PAGE), RuleId.ERROR_RATE_STREAM: (PAGE, naive)}
    shown = "HTTP shows 0 of 120 (0.00%) over 5m" if in_stream else "HTTP shows 20 of 120 (16.67%) over 5m"
    assert of[RuleId.ERROR_RATE_STREAM].words["naive"] == shown
    assert all(found.is_known for found in of.values())
