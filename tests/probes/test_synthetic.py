from pathlib import Path
from random import Random

import msgspec
import pytest
from asking import DONE, FINISH, HEAD, LAST, ROLE, USAGE, asked, completions, framed, good, refusal, token

from probes.budget import Budget, Cap
from probes.checks import Checks
from probes.deadlines import Deadlines
from probes.finding import Word
from probes.question import Wish
from probes.synthetic import (
    ANSWER_BYTES_MAX,
    CERTIFICATE_WARN_DAYS,
    Completion,
    Completions,
    Labels,
    certificate_days,
    trace_detail,
)
from telemetry.clock import wall_ms
from telemetry.fetch import Client, Trace
from telemetry.guard import PUBLIC
from telemetry.outcome import Eligibility, Outcome, TtftQuality, TtftSource
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Pause, Send

STREAMS = Path(__file__).parent.parent / "fixtures" / "streams"


async def test_a_good_answer_becomes_a_record_that_names_itself_a_probe() -> None:
    pieces = [HEAD + framed(ROLE, token("a")), framed(token("b")), framed(FINISH, USAGE, DONE) + LAST]
    with Endpoint([AwaitToken(b"}"), *[step for piece in pieces for step in (Send(piece), Pause(0.01))]]) as endpoint:
        found = await asked(endpoint, checks=Checks(contains=["ab"], tokens_min=2, tokens_max=2))
        [transcript] = endpoint.transcripts(1)

    record = found.record
    assert record is not None
    assert (Outcome.OK, True, "") == (found.outcome, found.ok, found.detail.get("check", ""))
    assert ("probe", "client", "hosted", "m", "eu", "chat", "v1", "openai_chat", 1) == (
        record.traffic,
        record.point,
        record.endpoint,
        record.model,
        record.region,
        record.workload_class,
        record.variant,
        record.api,
        record.stream,
    )
    assert (TtftSource.CLIENT, TtftQuality.EXACT) == (record.ttft_source, record.ttft_quality)
    assert (3, 2) == (record.tokens_in, record.tokens_out)
    assert None not in (record.connect_us, record.send_us, record.headers_us, record.ttft_us, record.tpot_us)
    assert (found.value, found.duration_us) == ((record.ttft_us or 0) / 1e6, record.e2e_us)
    assert (len(transcript.received), transcript.sent_bytes) == (record.bytes_in, record.bytes_out)
    assert record.trace_id.hex().encode() in transcript.received


@pytest.mark.parametrize(
    ("name", "api"),
    [
        ("vllm_chat_usage", "openai_chat"),
        ("vllm_chat_unary", "openai_chat"),
        ("vllm_completions_usage", "openai_completions"),
        ("vllm_completions_unary", "openai_completions"),
        ("vllm_responses", "openai_responses"),
        ("vllm_messages", "anthropic_messages"),
    ],
)
async def test_every_dialect_is_asked_and_read(name: str, api: str) -> None:
    recorded = (STREAMS / f"{name}.http").read_bytes()
    head, _, body = recorded.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"transfer-", b"content-length"))]
    answer = b"\r\n".join([*kept, b"content-length: %d" % len(body)]) + b"\r\n\r\n" + body
    with Endpoint([AwaitToken(b"}"), Send(answer)]) as endpoint:
        found = await asked(endpoint, api=api, engine="vllm", stream="unary" not in name, tells_text=True)

    assert (Outcome.OK, True) == (found.outcome, found.ok)
    assert found.record is not None
    assert api == found.record.api
    assert found.record.tokens_out
    assert found.text


async def test_usage_is_asked_for_with_less_until_the_server_takes_it() -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("a"))]) as endpoint:
        asker = completions(endpoint, engine="vllm")
        endpoint.enqueue([AwaitToken(b"}"), Send(refusal(400))])
        first = await asker.find()
        second = await asker.find()
        bodies = [msgspec.json.decode(one.received.partition(b"\r\n\r\n")[2]) for one in endpoint.transcripts(3)]

    assert ["final", "final"] == [first.detail["usage"], second.detail["usage"]]
    assert [{"include_usage": True, "continuous_usage_stats": True}, *[{"include_usage": True}] * 2] == [
        body["stream_options"] for body in bodies
    ]


async def test_a_server_that_refuses_everything_is_told_of_once() -> None:
    with Endpoint([AwaitToken(b"}"), Send(refusal(400))]) as endpoint:
        found = await asked(endpoint, engine="vllm")
        count = len(endpoint.transcripts(3))

    assert (Outcome.INVALID_REQUEST, "unasked", 3) == (found.outcome, found.detail["usage"], count)


async def test_a_failed_check_is_bad_output_in_both_rows() -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("Lyon"))]) as endpoint:
        found = await asked(endpoint, checks=Checks(contains=["Paris"], tokens_min=9))

    assert found.record is not None
    assert (Outcome.BAD_OUTPUT, Outcome.BAD_OUTPUT, Eligibility.BAD) == (
        found.outcome,
        found.record.outcome,
        found.record.eligible,
    )
    assert "contains tokens_min" == found.detail["check"]


async def test_no_row_holds_prompt_answer_or_key() -> None:
    with Endpoint([AwaitToken(b"}"), Send(good("canary-answer"))]) as endpoint:
        asker = completions(endpoint, checks=Checks(contains=["something else"]), tells_text=True)
        found = await asker.find({"what": "canary-prompt"})
        [transcript] = endpoint.transcripts(1)

    assert b"canary-prompt" in transcript.received
    assert b"canary-key" in transcript.received
    assert "canary-answer" == found.text
    assert "canary" not in repr(found)


async def test_an_address_that_may_not_be_asked_makes_no_request() -> None:
    wish = Wish(url="http://127.0.0.1:8000", api="openai_chat", model="m", prompt="p")
    completion = Completion(wish=wish, labels=Labels(endpoint="e"), policy=PUBLIC)

    random = Random(1)  # noqa: S311 -- identifiers of a test
    found = await Completions(completion, client=Client(), budget=Budget(Cap()), random=random).find()

    assert (Word.GUARDED, False, None) == (found.outcome, found.ok, found.record)


async def test_a_spent_budget_sends_nothing() -> None:
    budget = Budget(Cap(tokens_max=5))
    with Endpoint([AwaitToken(b"}"), Send(good("a"))]) as endpoint:
        asker = completions(endpoint, budget=budget)
        outcomes = [(await asker.find()).outcome for _ in range(2)]
        count = len(endpoint.transcripts(1))

    assert ([Outcome.OK, Word.OVER_BUDGET], 1, 5) == (outcomes, count, budget.tokens)


async def test_an_answer_whose_tokens_nobody_told_costs_the_most_it_can() -> None:
    budget = Budget(Cap())
    answer = HEAD + framed(token("a"), FINISH, DONE) + LAST
    with Endpoint([AwaitToken(b"}"), Send(answer)]) as endpoint:
        await completions(endpoint, budget=budget).find({"what": "é"})

    assert len("Say é.".encode()) + 16 == budget.tokens


async def test_a_refused_question_costs_nothing() -> None:
    budget = Budget(Cap())
    with Endpoint([AwaitToken(b"}"), Send(refusal(503))]) as endpoint:
        await completions(endpoint, budget=budget).find()

    assert 0 == budget.tokens


async def test_the_longest_run_counts_every_way_to_ask() -> None:
    with Endpoint() as endpoint:
        asker = completions(endpoint, engine="vllm", deadlines=Deadlines(total_s=7))

    assert 21.0 == asker.limit_s


async def test_the_bound_of_an_answer_is_taken_and_one_byte_more_is_not() -> None:
    def script(body_bytes: int) -> list[AwaitToken | Send]:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % body_bytes
        told = token("a") + FINISH + DONE
        return [AwaitToken(b"}"), Send(head + told + b":" * (body_bytes - len(told)))]

    outcomes: list[str] = []
    for body_bytes in (ANSWER_BYTES_MAX, ANSWER_BYTES_MAX + 1):
        with Endpoint(script(body_bytes)) as endpoint:
            outcomes.append((await asked(endpoint)).detail.get("reason", ""))

    assert ["", "the answer has more bytes than allowed"] == outcomes


@pytest.mark.parametrize(("days", "level"), [(CERTIFICATE_WARN_DAYS + 1, "ok"), (CERTIFICATE_WARN_DAYS - 1, "warning")])
def test_a_certificate_that_ends_soon_is_told(days: int, level: str) -> None:
    trace = Trace(certificate_end_unix_s=wall_ms() // 1000 + days * 86_400 + 60, dns_us=1, connect_us=2, tls_us=3)

    assert {"dns_us": "1", "connect_us": "2", "tls_us": "3", "certificate_days": str(days), "level": level} == dict(
        trace_detail(trace)
    )


def test_the_days_of_a_certificate_are_counted_from_now() -> None:
    assert (None, 1.5) == (
        certificate_days(Trace(), 0),
        certificate_days(Trace(certificate_end_unix_s=130_600), 1_000_000),
    )
