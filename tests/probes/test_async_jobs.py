import json
from random import Random

import pytest

from probes.async_jobs import (
    ENDINGS,
    LOOK_FAULTS_MAX,
    MILLISECONDS_BELOW,
    SECONDS_BELOW,
    Job,
    Jobs,
    Pace,
    Status,
    Watch,
    stamp_us,
)
from probes.budget import Budget, Cap
from probes.finding import Finding, Word
from probes.synthetic import Labels
from telemetry.fetch import Client
from telemetry.guard import ENGINE, PUBLIC, Policy
from telemetry.outcome import Outcome
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Close, Send
from telemetry.testing.wire import Script

S = 1_000_000_000
QUICK = Pace(first_s=0.001, later_s=0.001)


def says(status: str, **more: object) -> bytes:
    return json.dumps({"request_id": "job-1", "status": status, **more}).encode()


def answer(body: bytes, status: int = 200, until: bytes = b"\r\n\r\n") -> Script:
    head = b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
    return [AwaitToken(until), Send(head + body)]


async def found(
    *scripts: Script,
    otherwise: Script = (),
    total_s: float = 5.0,
    take: str = "",
    budget: Budget | None = None,
    policy: Policy = ENGINE,
    labels: Labels | None = None,
) -> tuple[Finding, list[bytes]]:
    """Hand a job in to an endpoint that plays these scripts; also returns the head of every question."""
    with Endpoint(otherwise) as endpoint:
        for script in scripts:
            endpoint.enqueue(script)
        job = Job(
            url=f"http://127.0.0.1:{endpoint.address[1]}/requests",
            policy=policy,
            body={"model": "film", "payload": {"prompt": "${script}"}},
            headers={"Authorization": "Bearer k", "X-Organization-ID": "o"},
            total_s=total_s,
            labels=labels,
            model="film",
            take=take,
            pace=QUICK,
        )
        jobs = Jobs(job, client=Client(), budget=budget or Budget(Cap()), random=Random(1))  # noqa: S311 -- jitter
        one = await jobs.find({"script": "a fox"})
        asked = [transcript.received for transcript in endpoint.transcripts(len(scripts))]
    return one, asked


async def test_a_job_is_handed_in_and_looked_at_until_it_ends() -> None:
    one, asked = await found(
        answer(says("queued", created_at=1_700_000_000), until=b"}}"),
        answer(says("dispatched")),
        answer(says("processing")),
        answer(says("processing")),
        answer(says("success", created_at=1_700_000_000, updated_at=1_700_000_004, outcome={"media": ["http://v"]})),
        take="outcome.media.0",
    )

    assert (Outcome.OK, True, "http://v") == (one.outcome, one.ok, one.text)
    assert b"POST /requests HTTP/1.1" == asked[0].split(b"\r\n")[0]
    assert b'{"model":"film","payload":{"prompt":"a fox"}}' in asked[0]
    assert {b"GET /requests/job-1 HTTP/1.1"} == {question.split(b"\r\n")[0] for question in asked[1:]}
    assert all(
        b"Authorization: Bearer k\r\n" in question and b"X-Organization-ID: o\r\n" in question for question in asked
    )
    assert one.duration_us is not None
    assert one.queue_wait_us is not None
    assert one.run_us is not None
    assert one.poll_interval_us is not None
    assert one.queue_wait_us + one.run_us <= one.duration_us
    told = {name: one.detail[name] for name in ("status", "looks", "service_us", "quality")}
    assert {"status": "success", "looks": "5", "service_us": "4000000", "quality": "polled"} == told
    assert "http://v" not in str(one.detail)


@pytest.mark.parametrize(("status", "outcome"), ENDINGS.items())
async def test_an_ending_has_its_class(status: Status, outcome: Outcome) -> None:
    one, _ = await found(answer(says("queued"), until=b"}}"), answer(says(status)))

    assert (outcome, outcome is Outcome.OK) == (one.outcome, one.ok)
    assert (None, None) == (one.queue_wait_us, one.run_us)  # it was never seen running


async def test_a_job_that_does_not_end_in_time_is_a_timeout() -> None:
    one, _ = await found(answer(says("queued"), until=b"}}"), otherwise=answer(says("processing")), total_s=0.05)

    assert (Outcome.TIMEOUT_FIRST_TOKEN, False, None, None) == (one.outcome, one.ok, one.duration_us, one.run_us)
    assert one.queue_wait_us is not None


async def test_a_look_that_fails_is_not_the_job_failing() -> None:
    one, _ = await found(
        answer(says("queued"), until=b"}}"),
        answer(b"", 503),
        [AwaitToken(), Close()],
        answer(says("what's this")),
        answer(b"no json"),
        answer(says("success")),
    )

    assert (Outcome.OK, "503:1 reset:1") == (one.outcome, one.detail["misses"])


@pytest.mark.parametrize(("faults", "outcome"), [(LOOK_FAULTS_MAX - 1, "ok"), (LOOK_FAULTS_MAX, "unavailable")])
async def test_a_job_is_given_up_when_nothing_can_be_seen_of_it(faults: int, outcome: str) -> None:
    one, _ = await found(
        answer(says("queued"), until=b"}}"), *[answer(b"", 500)] * faults, otherwise=answer(says("success"))
    )

    assert outcome == one.outcome


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (answer(b'{"error":"Unauthorized"}', 401, until=b"}}"), Outcome.AUTH),
        (answer(b"", 429, until=b"}}"), Outcome.RATE_LIMITED),
        (answer(b"", 302, until=b"}}"), Outcome.UNAVAILABLE),
        (answer(b"{}", until=b"}}"), Outcome.BAD_OUTPUT),
        (answer(b'{"request_id":"../admin"}', until=b"}}"), Outcome.BAD_OUTPUT),
        ([AwaitToken(b"}}"), Close()], Outcome.CONNECT_ERROR),
    ],
    ids=["no key", "too many", "redirect", "no id", "an id that is a path", "no answer"],
)
async def test_a_job_that_was_not_taken_is_looked_at_no_more(script: Script, outcome: Outcome) -> None:
    one, asked = await found(script)

    assert (outcome, False, 1) == (one.outcome, one.ok, len(asked))


async def test_a_job_is_a_request_of_a_batch_and_a_flow_of_its_own() -> None:
    labels = Labels(endpoint="video", region="eu", workload_class="batch")
    done, _ = await found(answer(says("queued"), until=b"}}"), answer(says("success")), labels=labels)
    refused, _ = await found(answer(b"", 429, until=b"}}"), labels=labels)
    late, _ = await found(
        answer(says("queued"), until=b"}}"), otherwise=answer(says("queued")), total_s=0.05, labels=labels
    )
    guarded, _ = await found(policy=PUBLIC, labels=labels)
    records = [one.record for one in (done, refused, late)]

    assert guarded.record is None, "nothing was sent"
    assert all(record is not None for record in records)
    made = [record for record in records if record is not None]
    assert {("video", "film", "eu", "batch", "probe", "async_job")} == {
        (one.endpoint, one.model, one.region, one.workload_class, one.traffic, one.api) for one in made
    }
    assert ["good", "bad", "bad"] == [one.eligible for one in made]
    assert [done.duration_us, None, None] == [one.e2e_us for one in made]
    assert all(one.elapsed_us > 0 and one.flow_id is not None for one in made)
    assert 50_000 * 0.5 < made[2].elapsed_us, "also of one that never ended"


async def test_what_a_next_stage_needs_must_be_there() -> None:
    one, _ = await found(answer(says("success"), until=b"}}"), take="outcome.url")

    assert (Outcome.BAD_OUTPUT, False, "take") == (one.outcome, one.ok, one.detail["check"])


async def test_a_budget_is_spent_by_the_run_and_forbids_the_next() -> None:
    budget = Budget(Cap(usd_max=0.3, usd_per_run=0.3))

    one, _ = await found(answer(says("success"), until=b"}}"), budget=budget)
    other, asked = await found(budget=budget)

    assert (Outcome.OK, Word.OVER_BUDGET, []) == (one.outcome, other.outcome, asked)


async def test_a_private_address_of_a_public_service_is_not_asked() -> None:
    one, asked = await found(policy=PUBLIC)

    assert (Word.GUARDED, []) == (one.outcome, asked)


def test_times_are_of_our_clock_and_their_error_is_the_longest_pause_before_a_change() -> None:
    watch = Watch(100 * S)
    for at_s, status in [(101, "queued"), (102, "queued"), (105, "processing"), (115, "processing"), (117, "success")]:
        watch.saw(says(status), at_s * S)

    one = watch.finding("", {})

    assert (17_000_000, 4_000_000, 12_000_000, 3_000_000) == (
        one.duration_us,
        one.queue_wait_us,
        one.run_us,
        one.poll_interval_us,
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_700_000_000, 1_700_000_000_000_000),
        (1_700_000_000.5, 1_700_000_000_500_000),
        (1_700_000_000_000, 1_700_000_000_000_000),
        (1_700_000_000_000_000, 1_700_000_000_000_000),
        (SECONDS_BELOW - 1, (SECONDS_BELOW - 1) * 1_000_000),
        (SECONDS_BELOW, SECONDS_BELOW * 1_000),
        (MILLISECONDS_BELOW - 1, (MILLISECONDS_BELOW - 1) * 1_000),
        (MILLISECONDS_BELOW, MILLISECONDS_BELOW),
        (0, None),
        (-1, None),
        (10**20, None),
        (True, None),
        ("1700000000", None),
        (None, None),
    ],
)
def test_the_unit_of_a_stamp_is_read_from_its_size(value: object, expected: int | None) -> None:
    assert expected == stamp_us(value)


@pytest.mark.parametrize(
    ("elapsed_s", "random", "expected"),
    [(0, 0.5, 1.0), (29.9, 0.0, 0.9), (29.9, 1.0, 1.1), (30, 0.5, 5.0), (30, 1, 5.5)],
)
def test_looks_are_every_second_then_every_five(elapsed_s: float, random: float, expected: float) -> None:
    assert pytest.approx(expected) == Pace().pause_s(elapsed_s, random)
