"""Tests of slo.ledger."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from notices import FIRING, RESOLVED

from slo import ledger as module
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.errors import LedgerError
from slo.ledger import KEPT_S, STEPS_MAX, WHY_CHARS_MAX, Ledger, Step
from slo.notice_steps import NoticeStep, StepState, Tried

ALERT = Alert(
    record=Record(
        fingerprint=2**64 - 1, definition_hash=2**63, state=AlertState.FIRING, at_s=30, fired_at_s=30, occurrence=1,
        changed_at_s=(10, 20),
    ),
    labels={"alertname": "a"},
    annotations={"summary": "s"},
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "slo.sqlite"


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    first = Ledger(path)
    assert (first.instant_s(), first.alerts()) == (None, {})
    first.save(60, [ALERT], {"slack": [FIRING]})
    first.close()
    second = Ledger(path)

    assert second.instant_s() == 60
    assert second.alerts() == {ALERT.fingerprint: ALERT}
    assert [item.notice for item in second.waiting("slack", 10)] == [FIRING]
    second.close()


def test_what_was_begun_and_not_settled_is_due_under_its_old_key(path: Path) -> None:
    first = Ledger(path)
    first.save(60, [], {"slack": [FIRING]})
    first.begin(first.waiting("slack", 10))
    first.close()
    second = Ledger(path)
    (item,) = second.waiting("slack", 10)

    assert (item.notice.key, item.state, item.attempts) == (FIRING.key, Step.INTENT, 1)
    second.close()


def test_the_same_is_never_queued_twice(path: Path) -> None:
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [FIRING], "hook": [FIRING]})
    ledger.sent(ledger.waiting("slack", 10))
    ledger.save(90, [], {"slack": [FIRING, RESOLVED]})

    assert [item.notice for item in ledger.waiting("slack", 10)] == [RESOLVED]
    assert [item.notice for item in ledger.waiting("hook", 10)] == [FIRING]
    ledger.close()


def test_a_try_that_failed_waits_for_the_next(path: Path) -> None:
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [FIRING]})
    items = ledger.waiting("slack", 10)
    ledger.begin(items)
    ledger.retry(items, "x" * (WHY_CHARS_MAX + 1))
    (item,) = ledger.waiting("slack", 10)

    assert (item.state, item.attempts, len(item.why)) == (Step.WAITING, 1, WHY_CHARS_MAX)
    ledger.give_up([item], "refused")
    assert (ledger.waiting("slack", 10), ledger.waiting_n("slack")) == ([], 0)
    assert [(one.state, one.why) for one in ledger.log()] == [(Step.GIVEN_UP, "refused")]
    ledger.close()


def test_what_was_tried_waits_behind_what_was_not(path: Path) -> None:
    ledger = Ledger(path)
    others = [replace(FIRING, fingerprint=at) for at in range(3)]
    ledger.save(60, [], {"slack": others})
    ledger.begin(ledger.waiting("slack", 2))

    assert [item.notice.fingerprint for item in ledger.waiting("slack", 10)] == [2, 0, 1]
    ledger.close()


def test_of_one_alert_nothing_is_said_before_what_came_first(path: Path) -> None:
    ledger = Ledger(path)
    again = replace(FIRING, occurrence=3)
    ledger.save(60, [], {"slack": [FIRING, RESOLVED, again]})
    said: list[str] = []
    while items := ledger.waiting("slack", 10):
        said += [item.notice.key for item in items]
        ledger.begin(items)
        ledger.sent(items)

    assert said == [FIRING.key, RESOLVED.key, again.key]
    ledger.close()


@pytest.mark.parametrize("beyond", [0, 1])
def test_beyond_its_bound_a_queue_gives_up_the_oldest(path: Path, beyond: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_MAX", 3)
    ledger = Ledger(path)
    for at in range(3 + beyond):
        ledger.save(at, [], {"slack": [replace(FIRING, fingerprint=at)]})

    assert [item.notice.fingerprint for item in ledger.waiting("slack", 10)] == [at + beyond for at in range(3)]
    ledger.close()


def test_settled_notices_are_forgotten_after_a_while(path: Path) -> None:
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [FIRING, RESOLVED]})
    ledger.sent(ledger.waiting("slack", 1))
    ledger.prune(60 + KEPT_S)
    assert len(ledger.log()) == 2
    ledger.prune(60 + KEPT_S + 1)

    assert [item.state for item in ledger.log()] == [Step.WAITING]
    ledger.close()


def test_alerts_can_be_forgotten(path: Path) -> None:
    ledger = Ledger(path)
    ledger.save(60, [ALERT])
    ledger.forget([ALERT.fingerprint])

    assert ledger.alerts() == {}
    ledger.close()


def test_a_file_that_is_none_of_ours_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"rubbish" * 1000)

    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path / "file" / "slo.sqlite")


def test_an_evaluation_is_whole_or_not_at_all(path: Path) -> None:
    """Killed in the middle of a thousand evaluations, each of which moves an alert and says so."""
    child = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "sys.path.insert(0, sys.argv[2]); from test_ledger import ALERT, FIRING; from slo.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for at in range(1, 100000):\n"
        "    ledger.save(at, [replace(ALERT, record=replace(ALERT.record, at_s=at))], {'c': [replace(FIRING, n=at)]})\n"
        "    print(at, flush=True)\n"
    )
    argv = [sys.executable, "-c", child, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        seen += [int(line) for line in process.stdout]
    ledger = Ledger(path)
    instant_s = ledger.instant_s()

    assert instant_s in {seen[-1], seen[-1] + 1}
    assert ledger.alerts()[ALERT.fingerprint].record.at_s == instant_s
    assert ledger.waiting_n("c") == instant_s
    ledger.close()


BEGUN = Tried(at_ms=1_000, group_key="g")
ANSWERED = Tried(at_ms=1_250, group_key="g", http_status=503, duration_us=249_000)


def test_each_step_of_a_notice_is_kept_until_it_is_copied(path: Path) -> None:
    first = Ledger(path)
    first.save(60, [], {"slack": [FIRING]})
    items = first.waiting("slack", 10)
    first.begin(items, BEGUN)
    first.retry(items, "answered 503", ANSWERED)
    first.begin(items, BEGUN)
    first.sent(items, ANSWERED)
    first.give_up(items, "refused", ANSWERED)
    first.close()
    second = Ledger(path)
    batch, steps = second.steps("b", 10)
    second.copied(batch)

    assert batch == "b"
    assert [(step.channel, step.key) for step in steps] == [("slack", FIRING.key)] * 5
    assert [(step.attempt, step.state, step.tried) for step in steps] == [
        (1, StepState.INTENT, BEGUN),
        (1, StepState.FAILED, ANSWERED),
        (2, StepState.INTENT, BEGUN),
        (2, StepState.SENT, ANSWERED),
        (2, StepState.GIVEN_UP, ANSWERED),
    ]
    assert second.steps("c", 10) == ("c", [])
    second.close()


def test_what_others_did_is_no_step(path: Path) -> None:
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [FIRING]})
    ledger.sent(ledger.waiting("slack", 10))

    assert ledger.steps("b", 10) == ("b", [])
    ledger.close()


def test_a_batch_stays_as_it_was_cut_until_it_is_copied(path: Path) -> None:
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [replace(FIRING, fingerprint=at) for at in range(4)]})
    items = ledger.waiting("slack", 10)
    ledger.begin(items[:3], BEGUN)
    cut = ledger.steps("b", 2)
    ledger.begin(items[3:], BEGUN)
    ledger.close()
    again = Ledger(path)

    assert (cut[0], [step.fingerprint for step in cut[1]]) == ("b", [0, 1])
    assert again.steps("other", 10) == cut
    again.copied("b")
    assert [step.fingerprint for step in again.steps("c", 10)[1]] == [2, 3]
    again.close()


def test_a_notice_that_a_full_queue_gives_up_has_that_step_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_MAX", 1)
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [FIRING, RESOLVED]})
    ledger.save(90, [], {"slack": [FIRING, RESOLVED]})

    assert ledger.steps("b", 10)[1] == [
        NoticeStep(
            channel="slack", key=FIRING.key, attempt=0, state=StepState.GIVEN_UP, tried=Tried(at_ms=60_000)
        )
    ]  # fmt: skip
    ledger.close()


@pytest.mark.parametrize("beyond", [0, 1, 3])
def test_beyond_their_bound_the_oldest_steps_are_given_up_and_counted(
    path: Path, beyond: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STEPS_MAX == 100_000
    monkeypatch.setattr(module, "STEPS_MAX", 3)
    ledger = Ledger(path)
    ledger.save(60, [], {"slack": [replace(FIRING, fingerprint=at) for at in range(3 + beyond)]})
    for item in ledger.waiting("slack", 10):
        ledger.begin([item], BEGUN)

    assert [step.fingerprint for step in ledger.steps("b", 10)[1]] == [at + beyond for at in range(3)]
    assert ledger.steps_lost() == beyond
    ledger.close()
