"""Tests of slo.notifier: its thread, its tasks and its end, against real servers; and what a kill leaves behind."""

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from notices import FIRING, RESOLVED
from receiver import OK, Answer, Dial, Got, channel, receiver

from slo import notifier as module
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.channels import Channel, ChannelKind, routed
from slo.courier import Clock
from slo.lease import FileLease
from slo.ledger import Ledger, Step
from slo.notifier import DRAIN_S_MAX, Notifier
from slo.posts import GAP_S
from slo.target import FAILING_S
from telemetry import clock
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd

HERE = Path(__file__).parent
STANDS = Alert(
    record=Record(fingerprint=7, definition_hash=1, state=AlertState.FIRING, at_s=60, fired_at_s=30, occurrence=1),
    labels={"alertname": "a", "severity": "page"},
    annotations={},
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "slo.sqlite")
    yield ledger
    ledger.close()


@contextmanager
def running_notifier(channels: list[Channel], ledger: Ledger, **more: Any) -> Generator[Notifier]:  # noqa: ANN401 -- handed on
    notifier = Notifier(channels, ledger, step_s=30, **more)
    notifier.start()
    try:
        yield notifier
    finally:
        notifier.stop()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if holds():
            return
        clock.sleep(0.005)
    raise AssertionError


def hook(url: str, name: str = "c") -> Channel:
    return channel(ChannelKind.WEBHOOK, url, name=name)


def test_what_is_saved_is_said_when_it_is_rung(ledger: Ledger) -> None:
    with receiver() as got, running_notifier([hook(got.url)], ledger, external_url="https://us") as notifier:
        ledger.save(60, [], {"c": [FIRING]})
        notifier.ring()
        until(lambda: ledger.waiting_n("c") == 0)

        assert (got.keys, got.got[0].body["externalURL"]) == ([FIRING.key], "https://us")
        assert [target.sent_n for target in notifier.targets()] == [1]
        assert (notifier.waits_s().keys(), notifier.told_again()) == ({"c"}, ())


def test_every_instance_of_an_alertmanager_is_told_what_stands(ledger: Ledger) -> None:
    with receiver() as one, receiver() as two:
        told = channel(ChannelKind.ALERTMANAGER, one.url, two.url)
        with running_notifier([told], ledger) as notifier:
            notifier.stand([STANDS])
            until(lambda: all(target.sent_n == 1 for target in notifier.targets()))

        assert [got.body[0]["labels"] for got in (*one.got, *two.got)] == [STANDS.labels] * 2
        assert [(target.channel, target.instance) for target in notifier.targets()] == [("c", 0), ("c", 1)]
        assert (notifier.waits_s(), notifier.told_again()) == ({}, notifier.targets())


def test_a_dead_mans_switch_hears_of_instants_and_of_no_alert(ledger: Ledger) -> None:
    with receiver() as got:
        switch = channel(ChannelKind.DEAD_MAN, got.url)
        with running_notifier([switch], ledger) as notifier:
            notifier.stand([STANDS])
            until(lambda: bool(got.got))

    assert [one.body["status"] for one in got.got] == ["alive"]
    assert routed([switch], [FIRING]) == {}


def test_of_two_that_share_a_lease_one_tells_and_when_it_ends_the_other(ledger: Ledger, tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "other.sqlite")) as others, closing(Ledger(tmp_path / "lease.sqlite")) as shared:
        leases = [FileLease(shared, holder, Clock().elapsed_s, 1.0) for holder in ("one", "other")]
        ledger.save(60, [], {"c": [FIRING]})
        others.save(60, [], {"c": [FIRING, RESOLVED]})
        with receiver() as got:
            one, other = (
                Notifier([hook(got.url)], own, step_s=30, lease=lease)
                for own, lease in zip((ledger, others), leases, strict=True)
            )
            one.start()
            until(lambda: ledger.waiting_n("c") == 0)
            other.start()
            until(lambda: others.waiting_n("c") == 1)
            assert (got.keys, leases[1].is_ours) == ([FIRING.key], False)
            one.stop()
            until(lambda: others.waiting_n("c") == 0)
            other.stop()

        assert got.keys == [FIRING.key, RESOLVED.key]


def test_one_that_hangs_holds_up_no_other_and_no_stop(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_S_MAX", 0.1)
    with Endpoint([AwaitEnd()]) as hanging, receiver() as got:
        channels = [hook(f"http://127.0.0.1:{hanging.address[1]}", "hangs"), hook(got.url)]
        ledger.save(60, [], {"hangs": [FIRING], "c": [FIRING]})
        notifier = Notifier(channels, ledger, step_s=30)
        notifier.start()
        until(lambda: ledger.waiting_n("c") == 0)

        assert [item.state for item in ledger.log() if item.channel == "hangs"] == [Step.INTENT]
        assert notifier.stop() == 1
        hanging.transcripts(1, wait_s=5)  # the connection was given up, too


def test_a_mistake_of_our_own_over_one_target_holds_up_no_other(ledger: Ledger) -> None:
    broken = replace(hook("http://127.0.0.1:1", "broken"), urls=())
    with receiver() as got, running_notifier([broken, hook(got.url)], ledger) as notifier:
        ledger.save(60, [], {"broken": [FIRING], "c": [FIRING]})
        notifier.ring()
        until(lambda: ledger.waiting_n("c") == 0)
        until(lambda: notifier.targets()[0].why == "our own mistake: ValueError")


def test_a_target_that_hears_nothing_is_shown_after_five_minutes(ledger: Ledger) -> None:
    dial = Dial()
    ledger.save(60, [], {"c": [FIRING]})
    with receiver(lambda _: (500, {})) as got, running_notifier([hook(got.url)], ledger, now=dial.clock) as notifier:
        until(lambda: notifier.targets()[0].failed_n == 1)
        dial.now_s = FAILING_S
        assert notifier.failing() == ()
        dial.now_s += 1
        assert [(target.channel, target.why) for target in notifier.failing()] == [("c", "answered 500")]


def test_a_stop_says_what_may_be_said_now(ledger: Ledger) -> None:
    assert DRAIN_S_MAX == 10
    with receiver() as got:
        notifier = Notifier([hook(got.url)], ledger, step_s=30)
        notifier.start()
        ledger.save(60, [], {"c": [replace(FIRING, fingerprint=at) for at in range(20)]})

        assert notifier.stop() == 0
        assert len(got.got) == 20
        notifier.ring()  # nobody hears it any more


def test_without_channels_it_begins_and_ends(ledger: Ledger) -> None:
    with running_notifier([], ledger) as notifier:
        notifier.stand([STANDS])

        assert notifier.targets() == ()


def test_a_stop_does_not_wait_for_more_of_a_group(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GAP_S, ChannelKind.SLACK, 0.01)
    with receiver() as got:
        notifier = Notifier([channel(ChannelKind.SLACK, got.url)], ledger, step_s=30)
        notifier.start()
        ledger.save(60, [], {"c": [FIRING]})

        assert (notifier.stop(), len(got.got)) == (0, 1)


@contextmanager
def child(path: Path, url: str) -> Generator["subprocess.Popen[str]"]:
    argv = [sys.executable, str(HERE / "notify_child.py"), str(path), "webhook", url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_between_the_send_and_the_log_it_says_it_once_more_under_its_key(tmp_path: Path) -> None:
    path = tmp_path / "slo.sqlite"
    first = Ledger(path)
    first.save(60, [], {"c": [FIRING, RESOLVED]})
    first.close()
    heard, killed = Event(), Event()

    def answer(_: Got) -> Answer:
        if not killed.is_set():
            heard.set()
            killed.wait(30)
        return OK

    with receiver(answer) as got:
        with child(path, got.url) as process:
            assert heard.wait(30)
            process.kill()
            process.wait()
        killed.set()
        with child(path, got.url) as process:
            until(lambda: len(got.got) == 3)
            assert process.communicate(timeout=30)[0] == "started\n0\n"

    assert got.keys == [FIRING.key, FIRING.key, RESOLVED.key]
    last = Ledger(path)
    assert {(item.state, item.attempts) for item in last.log()} == {(Step.SENT, 2), (Step.SENT, 1)}
    last.close()
