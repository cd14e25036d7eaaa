"""Tests of slo.alertmanager_courier: an Alertmanager that answers over real sockets, by clocks that the test turns."""

from dataclasses import replace
from random import Random

import pytest
from notices import FIRING, RESOLVED
from receiver import OK, START_S, Answer, Dial, Got, Receiver, channel, receiver

from slo.alertmanager_body import RESEND_S
from slo.alertmanager_courier import AlertmanagerCourier
from slo.burn_catalogue import Severity
from slo.channels import ChannelKind
from slo.courier import IDLE_S
from slo.notice import Notice
from slo.posts import ALERTS_MAX
from slo.sender import Sender
from slo.target import RETRY_S
from telemetry.fetch import Client


def courier(running: Receiver, dial: Dial, severities: frozenset[Severity] | None = None) -> AlertmanagerCourier:
    return AlertmanagerCourier(
        channel=channel(
            ChannelKind.ALERTMANAGER, "http://first", running.url, severities=severities or frozenset(Severity)
        ),
        instance=1,
        sender=Sender(Client(), total_s=2.0),
        now=dial.clock,
        random=Random(7),  # noqa: S311 -- jitter of a test
        step_s=30,
    )


async def run(one: AlertmanagerCourier, dial: Dial, until_s: float) -> None:
    while dial.now_s < until_s:
        dial.now_s += await one.round()


def named(*names: str) -> list[Notice]:
    return [
        replace(FIRING, fingerprint=at, labels={"alertname": name, "severity": "page"}) for at, name in enumerate(names)
    ]


def names(got: Got) -> list[str]:
    return [alert["labels"]["alertname"] for alert in got.body]


def valid_only(got: Got) -> Answer:
    """Answer as Alertmanager does: the valid ones are kept, and the answer is 400 all the same."""
    return (400, {}) if "bad" in names(got) else OK


async def test_nothing_is_told_while_nothing_stands() -> None:
    with receiver() as running:
        assert await courier(running, Dial()).round() == IDLE_S

    assert running.got == []


async def test_what_stands_is_told_each_minute() -> None:
    dial = Dial()
    with receiver() as running:
        one = courier(running, dial)
        one.stand([FIRING])
        await run(one, dial, 3 * RESEND_S + 1)

    first, *_, last = [got.body[0] for got in running.got]
    assert len(running.got) == 4
    assert running.got[0].path == "/api/v2/alerts"
    assert first["startsAt"] == last["startsAt"] == "2026-09-21T14:13:20Z"
    assert (first["endsAt"], last["endsAt"]) == ("2026-09-21T14:19:00Z", "2026-09-21T14:22:00Z")
    assert (one.target.sent_n, one.target.instance) == (4, 1)


async def test_a_change_is_told_at_once_and_an_end_with_its_time() -> None:
    dial = Dial()
    with receiver() as running:
        one = courier(running, dial)
        one.stand([FIRING])
        await run(one, dial, 1)
        dial.now_s = 15
        one.stand([replace(FIRING, annotations={"summary": "new words for the same"})])
        assert await one.round() == RESEND_S - 15
        one.stand([RESOLVED])
        await one.round()
        await run(one, dial, 15 + RESEND_S + 1)

    assert [got.body[0]["endsAt"] for got in running.got[1:]] == ["2026-09-21T14:23:20Z"] * 2


async def test_an_alert_that_is_gone_is_no_change() -> None:
    dial = Dial()
    both = named("a", "b")
    with receiver() as running:
        one = courier(running, dial)
        one.stand(both)
        await one.round()
        one.stand(both[:1])
        assert await one.round() == RESEND_S
        one.stand([])
        assert await one.round() == IDLE_S

    assert len(running.got) == 1


async def test_only_what_is_for_it_is_told() -> None:
    dial = Dial()
    with receiver() as running:
        one = courier(running, dial, frozenset({Severity.TICKET}))
        one.stand([FIRING, replace(FIRING, labels={"alertname": "t", "severity": "ticket"})])
        await one.round()

    assert [names(got) for got in running.got] == [["t"]]


@pytest.mark.parametrize("where", range(5))
async def test_one_that_is_invalid_is_found_and_all_others_are_heard(where: int) -> None:
    dial = Dial()
    words = ["a", "b", "c", "d"]
    words.insert(where, "bad")
    with receiver(valid_only) as running:
        one = courier(running, dial)
        one.stand(named(*words))
        await run(one, dial, 1)
        taken = {name for got in running.got if valid_only(got) is OK for name in names(got)}
        before = len(running.got)
        await run(one, dial, RESEND_S + 1)

    assert taken == {"a", "b", "c", "d"}
    assert [names(got) for got in running.got[before:]] == [["a", "b", "c", "d"]]
    assert (one.target.given_up_n, one.target.failing_since_s) == (1, None)


async def test_the_one_that_is_invalid_is_named() -> None:
    with receiver(valid_only) as running:
        one = courier(running, Dial())
        one.stand(named("a", "bad"))
        await one.round()

    assert one.target.why == f"refused {1:016x}-2-firing-0"


async def test_who_refuses_everything_is_tried_again_with_everything() -> None:
    dial = Dial()
    with receiver(lambda _: (400, {}) if dial.now_s < 10 else OK) as running:
        one = courier(running, dial)
        one.stand(named("a", "b"))
        assert await one.round() == RETRY_S
        assert (one.target.why, one.target.given_up_n) == ("refused everything", 0)
        await run(one, dial, 70)

    assert names(running.got[-1]) == ["a", "b"]
    assert one.target.failing_since_s is None


@pytest.mark.parametrize(("n", "posts"), [(ALERTS_MAX, 1), (ALERTS_MAX + 1, 2)])
async def test_many_alerts_are_told_in_parts(n: int, posts: int) -> None:
    dial = Dial()
    with receiver() as running:
        one = courier(running, dial)
        one.stand(named(*map(str, range(n))))
        await one.round()

    assert [name for got in running.got for name in names(got)] == [str(at) for at in range(n)]
    assert (len(running.got), one.target.sent_n) == (posts, n)


async def test_a_round_that_failed_is_made_up_for() -> None:
    dial = Dial()
    left: list[Answer] = [(503, {}), (429, {"Retry-After": "20"})]
    at_s: list[float] = []

    def answer(_: Got) -> Answer:
        at_s.append(dial.now_s)
        return left.pop(0) if left else OK

    with receiver(answer) as running:
        one = courier(running, dial)
        one.stand([FIRING])
        await run(one, dial, 30)

    assert at_s == [0, RETRY_S, RETRY_S + 20]
    assert (one.target.failed_n, one.target.sent_n, running.got[-1].body[0]["labels"]) == (2, 1, FIRING.labels)


async def test_a_failure_of_our_own_is_noted() -> None:
    with receiver() as running:
        one = courier(running, Dial())
        one.failed("our own mistake: KeyError")

    assert (one.target.why, await one.round()) == ("our own mistake: KeyError", RETRY_S)


def test_the_clock_of_these_tests_is_after_the_start_of_the_alerts() -> None:
    assert max(FIRING.starts_at_s, RESOLVED.starts_at_s) < START_S
