"""Tests of slo.courier: the queue of one channel, over real sockets, by clocks that the test turns."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from notices import FIRING, RESOLVED
from receiver import OK, START_S, Answer, Dial, Got, Receiver, channel, receiver

from slo.channels import ChannelKind
from slo.courier import IDLE_S, TRIED_S_MAX, Courier
from slo.lease import LEASE_S, FileLease
from slo.ledger import Ledger, Step
from slo.notice import Notice
from slo.notice_steps import StepState
from slo.posts import GROUP_S
from slo.sender import Sender
from slo.slack_body import BLOCKS_MAX
from slo.target import RETRY_S_MAX
from telemetry.fetch import Client

HOUR_S = 3_600
REFUSED: Answer = (404, {})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "slo.sqlite")
    yield ledger
    ledger.close()


def courier(
    ledger: Ledger,
    running: Receiver,
    dial: Dial,
    kind: ChannelKind = ChannelKind.WEBHOOK,
    lease: FileLease | None = None,
) -> Courier:
    return Courier(
        channel=channel(kind, running.url),
        ledger=ledger,
        sender=Sender(Client(), total_s=2.0),
        now=dial.clock,
        random=Random(7),  # noqa: S311 -- jitter of a test
        lease=lease,
    )


async def run(one: Courier, dial: Dial, until_s: float) -> None:
    """Make rounds until a time has come."""
    while dial.now_s < until_s:
        dial.now_s += await one.round()


def others(n: int) -> list[Notice]:
    return [replace(FIRING, fingerprint=at) for at in range(n)]


def by_turns(*answers: Answer) -> Callable[[Got], Answer]:
    left = list(answers)
    return lambda _: left.pop(0) if left else OK


async def test_what_waits_is_said_in_its_order(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": [FIRING, RESOLVED, *others(2)], "else": [FIRING]})
    with receiver() as running:
        one = courier(ledger, running, dial)
        await run(one, dial, 1)

    assert running.keys.index(FIRING.key) < running.keys.index(RESOLVED.key)
    assert len(set(running.keys)) == len(running.got) == 4
    assert {item.state for item in ledger.log() if item.channel == "c"} == {Step.SENT}
    assert (one.target.sent_n, one.target.failed_n) == (4, 0)
    assert await one.round() == IDLE_S


async def test_a_receiver_that_fails_for_an_hour_hears_everything_after_it(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": [FIRING, RESOLVED]})
    with receiver(lambda _: OK if dial.now_s >= HOUR_S else (500, {})) as running:
        one = courier(ledger, running, dial)
        await run(one, dial, HOUR_S)
        tries, failing = len(running.got), one.target.is_failing(dial.now_s)
        await run(one, dial, HOUR_S + 2 * RETRY_S_MAX)

    assert 60 <= tries <= 300  # 30 s on the average, and the first few come sooner
    assert failing
    assert running.keys == [FIRING.key] * (tries + 1) + [RESOLVED.key]
    assert ledger.waiting_n("c") == 0
    assert (one.target.sent_n, one.target.is_failing(dial.now_s)) == (2, False)


async def test_who_asks_to_be_left_alone_is_left_alone(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": others(2)})
    with receiver(by_turns((429, {"Retry-After": "30"}))) as running:
        one = courier(ledger, running, dial, ChannelKind.PAGERDUTY)
        assert await one.round() == 30
        assert one.wait_s == 30
        dial.now_s = 29.9
        assert await one.round() == pytest.approx(0.1)
        assert len(running.got) == 1
        dial.now_s = 30
        await run(one, dial, 31)

    assert [got.body["dedup_key"][-1] for got in running.got] == ["0", "1", "0"]


async def test_what_is_refused_is_given_up_and_the_rest_is_said(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": others(2)})
    with receiver(by_turns((400, {}))) as running:
        one = courier(ledger, running, dial, ChannelKind.PAGERDUTY)
        await run(one, dial, 5)

    assert [(item.state, item.why) for item in ledger.log()] == [(Step.SENT, ""), (Step.GIVEN_UP, "answered 400")]
    assert (len(running.got), one.target.given_up_n, one.target.sent_n) == (2, 1, 1)


async def test_one_that_is_never_taken_does_not_hold_up_the_others(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": others(5)})
    with receiver(lambda got: (500, {}) if got.key.startswith(f"{0:016x}") else OK) as running:
        one = courier(ledger, running, dial)
        await run(one, dial, 10)

    assert one.target.sent_n == 4
    assert ledger.waiting_n("c") == 1


@pytest.mark.parametrize(("late_s", "state"), [(0, Step.WAITING), (1, Step.GIVEN_UP)])
async def test_after_a_day_it_is_given_up(ledger: Ledger, late_s: int, state: Step) -> None:
    dial = Dial(now_s=TRIED_S_MAX + late_s)
    ledger.save(START_S, [], {"c": [FIRING]})
    with receiver(lambda _: (500, {})) as running:
        await courier(ledger, running, dial).round()

    assert [item.state for item in ledger.log()] == [state]


async def test_a_day_of_our_own_absence_is_no_reason_to_give_up(ledger: Ledger) -> None:
    dial = Dial(now_s=2 * TRIED_S_MAX)
    ledger.save(START_S, [], {"c": [FIRING]})
    with receiver() as running:
        await courier(ledger, running, dial).round()

    assert running.keys == [FIRING.key]


async def test_a_wall_clock_that_steps_changes_no_wait(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": [FIRING]})
    with receiver(by_turns((500, {}))) as running:
        one = courier(ledger, running, dial)
        dial.wall_step_s = -HOUR_S
        await run(one, dial, 5)

    assert len(running.got) == 2


async def test_slack_hears_of_one_objective_at_once_and_of_no_more_than_one_a_second(ledger: Ledger) -> None:
    dial = Dial()
    at_s: list[float] = []
    ledger.save(START_S, [], {"c": others(BLOCKS_MAX)})
    with receiver(lambda _: at_s.append(dial.now_s) or OK) as running:
        one = courier(ledger, running, dial, ChannelKind.SLACK)
        dial.now_s += await one.round()
        ledger.save(
            START_S + 30,
            [],
            {"c": [replace(FIRING, fingerprint=99), replace(FIRING, fingerprint=98, labels={"slo": "b"})]},
        )
        await run(one, dial, 100)

    assert at_s == [GROUP_S, GROUP_S + 1, IDLE_S + GROUP_S]
    assert [len(got.body["blocks"]) for got in running.got] == [BLOCKS_MAX, 1, 1]
    assert ledger.waiting_n("c") == 0


async def test_in_a_hurry_slack_hears_at_once_and_still_no_more_than_one_a_second(ledger: Ledger) -> None:
    dial = Dial()
    at_s: list[float] = []
    ledger.save(START_S, [], {"c": [FIRING, replace(FIRING, fingerprint=98, labels={"slo": "b"})]})
    with receiver(lambda _: at_s.append(dial.now_s) or OK) as running:
        one = courier(ledger, running, dial, ChannelKind.SLACK)
        one.hurry()
        await run(one, dial, 5)

    assert at_s == [0, 1]


async def test_what_cannot_be_written_down_is_not_sent(ledger: Ledger, tmp_path: Path) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": [FIRING]})
    with receiver() as running, closing(sqlite3.connect(tmp_path / "slo.sqlite")) as breaking:
        one = courier(ledger, running, dial)
        breaking.execute("ALTER TABLE notice RENAME TO gone")
        assert await one.round() > 0
        assert (running.got, one.target.why) == ([], "our own ledger cannot be written")
        breaking.execute("ALTER TABLE gone RENAME TO notice")
        await run(one, dial, 100)

    assert running.keys == [FIRING.key]


async def test_a_failure_of_our_own_is_noted(ledger: Ledger) -> None:
    dial = Dial()
    with receiver() as running:
        one = courier(ledger, running, dial)
        one.failed("our own mistake: KeyError")

    assert (one.target.why, await one.round()) == ("our own mistake: KeyError", 1.0)


async def test_of_two_that_share_a_lease_one_tells_and_the_other_goes_on_where_it_ended(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Both queue the same; the first tells of the beginning and is gone before the end."""
    dial = Dial()
    with closing(Ledger(tmp_path / "other.sqlite")) as others, closing(Ledger(tmp_path / "lease.sqlite")) as shared:
        first, second = (FileLease(shared, holder, dial.clock.elapsed_s) for holder in ("one", "other"))
        first.claim()
        second.claim()
        ledger.save(START_S, [], {"c": [FIRING]})
        others.save(START_S, [], {"c": [FIRING, RESOLVED]})
        with receiver() as running:
            one = courier(ledger, running, dial, lease=first)
            other = courier(others, running, dial, lease=second)
            assert await other.round() == IDLE_S
            assert running.got == []
            await one.round()
            await other.round()
            assert others.waiting_n("c") == 1, "what the first told is dropped"
            dial.now_s += LEASE_S
            second.claim()
            await other.round()

        assert running.keys == [FIRING.key, RESOLVED.key]
        assert await one.round() == IDLE_S


async def test_every_step_is_kept_with_what_was_answered_and_how_long_that_took(ledger: Ledger) -> None:
    dial = Dial()

    def answer(_: Got) -> Answer:
        dial.now_s += 0.25
        return (503, {"Retry-After": "30"}) if dial.now_s < 30 else OK

    ledger.save(START_S, [], {"c": [FIRING]})
    with receiver(answer) as running:
        await run(courier(ledger, running, dial), dial, 31)
    _, steps = ledger.steps("b", 10)

    assert [(step.state, step.attempt, step.tried.at_ms - START_S * 1000) for step in steps] == [
        (StepState.INTENT, 1, 0),
        (StepState.FAILED, 1, 250),
        (StepState.INTENT, 2, 30_250),
        (StepState.SENT, 2, 30_500),
    ]
    assert [(step.tried.http_status, step.tried.duration_us) for step in steps] == [
        (None, None), (503, 250_000), (None, None), (200, 250_000),
    ]  # fmt: skip
    assert {(step.key, step.tried.group_key) for step in steps} == {(FIRING.key, FIRING.key)}


@pytest.mark.parametrize(
    ("kind", "answer", "state", "status"),
    [
        pytest.param(ChannelKind.SLACK, OK, StepState.SENT, 200, id="several of an objective in one post"),
        pytest.param(ChannelKind.SLACK, REFUSED, StepState.GIVEN_UP, 404, id="and what is refused"),
    ],
)
async def test_what_went_into_one_post_is_one_group(
    ledger: Ledger, kind: ChannelKind, answer: Answer, state: StepState, status: int
) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": others(2)})
    with receiver(lambda _: answer) as running:
        await run(courier(ledger, running, dial, kind), dial, GROUP_S + 2)
    _, steps = ledger.steps("b", 10)

    assert [(step.state, step.tried.http_status) for step in steps] == [
        *[(StepState.INTENT, None)] * 2, *[(state, status)] * 2,
    ]  # fmt: skip
    assert {step.tried.group_key for step in steps} == {"chat-good"}


async def test_of_a_receiver_that_is_not_there_no_status_is_known(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(START_S, [], {"c": [FIRING]})
    with receiver() as gone:
        pass
    await courier(ledger, gone, dial).round()
    _, steps = ledger.steps("b", 10)

    assert [(step.state, step.tried.http_status) for step in steps] == [
        (StepState.INTENT, None), (StepState.FAILED, None),
    ]  # fmt: skip
