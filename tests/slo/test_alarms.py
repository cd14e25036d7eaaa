"""Tests of slo.alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from histories import failing, objective

from slo.alarms import RENOTIFY_S, TOLD_S, Judged, Moved, Quiet, advance, as_told, restored
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.burn_catalogue import Severity
from slo.counts import Counts
from slo.evaluation import Facts, evaluate
from slo.notice import Status
from slo.objective import AlertCondition, AlertPolicy, ConditionKind
from slo.silence import Matcher, MatchOp, Silence
from slo.telemetry_state import Heartbeats, ProbeSays
from slo.watched import watched

ONE = watched(objective(0.999))
GROUP = {"endpoint": "chat"}
GOOD = dict.fromkeys(ONE.windows_s, Counts(eligible=100_000))
BAD = {window_s: Counts(eligible=100_000, bad=50_000) for window_s in ONE.windows_s}
TICKET_ONLY = {window_s: Counts(eligible=100_000, bad=400) for window_s in ONE.windows_s}  # burn 4
AT_S = 1_790_000_010 // 30 * 30


@dataclass
class Engine:
    """The fold, as an engine drives it."""

    alerts: Mapping[int, Alert] = field(default_factory=dict[int, Alert])
    at_s: int = AT_S
    said: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    def step(self, *facts: Facts, times: int = 1, quiet: Quiet | None = None, may_start: bool = True) -> Moved:
        moved = None
        for _ in range(times):
            self.at_s += 30
            judged = [Judged(watched=ONE, group=GROUP, found=evaluate(ONE, one)) for one in facts]
            moved = advance(judged, self.alerts, self.at_s, may_start=may_start, quiet=quiet or Quiet())
            self.keep(moved)
        assert moved is not None
        return moved

    def keep(self, moved: Moved) -> None:
        self.alerts = moved.alerts
        self.said += [(n.labels["alertname"], n.severity, n.status.value) for n in moved.notices]


def facts(windows: Mapping[int, Counts], seen: Heartbeats = Heartbeats.FRESH) -> Facts:
    return Facts(at_s=AT_S, windows=windows, seen=seen)


def states(alerts: Sequence[Alert]) -> dict[tuple[str, str], AlertState]:
    return {(one.labels["alertname"], one.labels["severity"]): one.record.state for one in alerts}


def test_a_good_service_leaves_nothing_to_remember() -> None:
    engine = Engine()
    moved = engine.step(facts(GOOD))

    assert (moved.alerts, moved.changed, moved.notices, moved.standing) == ({}, (), (), ())
    assert moved.transitions == (), "and that nothing is wrong is no news"


def test_a_page_and_a_ticket_are_one_notification() -> None:
    """slo.md A9: page resolved and ticket still true: the ticket is told once."""
    engine = Engine()
    moved = engine.step(facts(BAD))
    (notice,) = moved.notices

    assert (notice.severity, notice.status, notice.labels["endpoint"]) == ("page", Status.FIRING, "chat")
    assert "spends its error budget" in notice.summary
    assert [alert.labels["severity"] for alert in moved.standing] == ["page"]
    assert list(moved.held.values()) == ["page over ticket: chat-good"]
    engine.step(facts(TICKET_ONLY), times=10)
    assert engine.said == [
        ("chat-good", "page", "firing"), ("chat-good", "page", "resolved"), ("chat-good", "ticket", "firing"),
    ]  # fmt: skip


def test_an_end_is_told_only_if_the_start_was() -> None:
    engine = Engine()
    engine.step(facts(BAD))
    engine.step(facts(GOOD), times=60)

    assert engine.said == [("chat-good", "page", "firing"), ("chat-good", "page", "resolved")]


def test_the_end_of_what_was_told_is_told_although_another_speaks_by_then() -> None:
    engine = Engine()
    engine.step(facts(TICKET_ONLY))
    only_page = {**GOOD, **{window_s: BAD[window_s] for window_s in (300, 1_800, 3_600, 21_600)}}
    engine.step(facts(only_page), times=30)

    assert engine.said == [
        ("chat-good", "ticket", "firing"), ("chat-good", "page", "firing"), ("chat-good", "ticket", "resolved"),
    ]  # fmt: skip


def test_what_goes_on_is_told_again_after_a_while_unless_somebody_took_it_on() -> None:
    engine = Engine()
    engine.step(facts(BAD))
    n = RENOTIFY_S[Severity.PAGE] // 30
    assert engine.step(facts(BAD), times=n - 1).notices == ()
    (again,) = engine.step(facts(BAD)).notices

    assert (again.n, again.status) == (1, Status.FIRING)
    taken = Quiet(acknowledged=frozenset(engine.alerts))
    assert engine.step(facts(BAD), times=n + 1, quiet=taken).notices == ()


def test_a_silence_mutes_what_is_said_and_nothing_else() -> None:
    silence = Silence(
        id="s1",
        matchers=(Matcher(name="endpoint", op=MatchOp.EQUAL, value="chat"),),
        starts_at_s=0,
        ends_at_s=AT_S + 90,
        author="a",
        comment="b",
    )
    engine, quiet = Engine(), Quiet(silences=[silence])
    moved = engine.step(facts(BAD), quiet=quiet)

    assert (moved.notices, moved.standing) == ((), ())
    assert states(moved.changed)["chat-good", "page"] is AlertState.FIRING
    assert "silenced by s1" in moved.held.values()
    engine.step(facts(BAD), times=2, quiet=quiet)
    assert engine.said == [("chat-good", "page", "firing")], "it ended, and the alert still fires"


def test_blindness_resolves_nothing_and_is_told_of_itself() -> None:
    """slo.md A6: a ticket after 2 minutes, a page after 10, and the alert stands."""
    engine = Engine()
    engine.step(facts(BAD))
    blind = facts({}, Heartbeats.STORE_GONE)
    engine.step(blind, times=21)

    assert states(list(engine.alerts.values()))["chat-good", "page"] is AlertState.FIRING
    assert engine.said == [
        ("chat-good", "page", "firing"), ("SLOBlind", "ticket", "firing"), ("SLOBlind", "page", "firing"),
    ]  # fmt: skip
    page = next(a for a in engine.alerts.values() if a.labels["alertname"] == "chat-good")
    assert page.annotations["blind"].startswith("true")
    engine.step(facts(GOOD), times=60)
    assert ("chat-good", "page", "resolved") in engine.said


def test_nobody_there_pages_at_once() -> None:
    engine = Engine()
    engine.step(Facts(at_s=AT_S, windows={}, probe=ProbeSays.FAILING))

    assert engine.said == [("EndpointDown", "page", "firing")]


def test_a_wider_group_has_the_alerts_of_its_objective_alone() -> None:
    """Those of telemetry and probes are told by the groups that it is made of."""
    at = facts({}, seen=Heartbeats.ALL_STALE)
    down = replace(at, probe=ProbeSays.FAILING)
    judged = [
        Judged(watched=ONE, group=GROUP, found=evaluate(ONE, one), is_wider=True) for one in (down, facts(BAD), at)
    ]
    said = [{alert.labels["alertname"] for alert in advance([one], {}, AT_S).alerts.values()} for one in judged]

    assert said == [set(), {ONE.objective.name}, set()]


def test_too_few_collectors_are_a_ticket() -> None:
    engine = Engine()
    partial = Facts(at_s=AT_S, windows=GOOD, seen=Heartbeats.SOME_STALE, coverage_ratio=0.5)
    engine.step(partial, times=6)

    assert engine.said == [("TelemetryGap", "ticket", "firing")]


def test_counts_that_cannot_be_page_and_freeze_the_alert() -> None:
    engine = Engine()
    engine.step(facts(BAD))
    engine.keep(advance([Judged(watched=ONE, group=GROUP)], engine.alerts, engine.at_s + 30))

    assert engine.said[-1] == ("SLIInvalid", "page", "firing")
    assert states(list(engine.alerts.values()))["chat-good", "page"] is AlertState.FIRING


def test_a_flapping_alert_is_said_once_and_then_kept_for_longer() -> None:
    engine = Engine()
    for _ in range(6):
        engine.step(facts(BAD))
        engine.step(facts(GOOD), times=5)
    pages = [status for name, severity, status in engine.said if (name, severity) == ("chat-good", "page")]

    assert pages == ["firing", "resolved", "firing", "firing"], "the fourth change is one too many"
    (page,) = (alert for alert in engine.alerts.values() if alert.labels["severity"] == "page")
    assert page.annotations["flapping"].startswith("true")


@pytest.mark.parametrize(
    ("fast", "slow", "held"),
    [
        pytest.param(140, 0, True, id="the rule that spoke burns at 14, nine tenths of 14.4"),
        pytest.param(120, 0, False, id="it burns at 12"),
        pytest.param(0, 58, False, id="another rule is near, but it never spoke"),
    ],
)
def test_only_a_rule_that_spoke_holds_an_alert_by_being_near(fast: int, slow: int, held: bool) -> None:
    """Burn 14.4 pages. After that burn 6 stands at 5.8, below its own threshold and above nine tenths of it."""
    engine = Engine()
    spoke = {**GOOD, 3_600: Counts(eligible=10_000, bad=200), 300: Counts(eligible=10_000, bad=200)}
    later = {
        **GOOD,
        **dict.fromkeys((3_600, 300), Counts(eligible=10_000, bad=fast)),
        **dict.fromkeys((21_600, 1_800), Counts(eligible=10_000, bad=slow)),
    }
    engine.step(facts(spoke))
    engine.step(facts({}, seen=Heartbeats.STORE_GONE))
    engine.step(facts(later), times=6)

    own = [one for one in engine.alerts.values() if one.labels["alertname"] == ONE.objective.name]
    (page,) = (one for one in own if one.labels["severity"] == "page")
    assert (page.record.state is AlertState.FIRING) == held
    assert page.rules == (("burn 14.4 over 60 min",) if held else ())


@pytest.mark.parametrize(("keep_firing_s", "calm_n"), [(None, 5), (0, 1), (60, 3)])
def test_an_alert_ends_after_as_much_calm_as_its_policy_asks(keep_firing_s: int | None, calm_n: int) -> None:
    conditions = (AlertCondition(kind=ConditionKind.BURN_RATE, severity="page", threshold=2.0, lookback_s=60),)
    policy = AlertPolicy(name="fast", conditions=conditions, keep_firing_s=keep_firing_s)
    one = watched(replace(objective(0.999), policies=(policy,)))
    alerts, ends = dict[int, Alert](), list[int]()
    for at in range(10):
        counts = Counts(eligible=100_000, bad=0 if at else 50_000)
        found = evaluate(one, facts(dict.fromkeys(one.windows_s, counts)))
        moved = advance([Judged(watched=one, group=GROUP, found=found)], alerts, AT_S + 30 * at)
        alerts = dict(moved.alerts)
        ends += [at for alert in alerts.values() if alert.record.state is AlertState.RESOLVED]

    assert calm_n == ends[0]  # two minutes of a page are five instants: the first of them begins the calm


def test_after_a_step_of_the_clock_nothing_begins() -> None:
    engine = Engine()
    engine.step(facts(BAD), may_start=False)

    assert engine.said == []


def test_the_alerts_of_an_objective_that_is_gone_end() -> None:
    engine = Engine()
    engine.step(facts(BAD))
    engine.keep(advance([], engine.alerts, engine.at_s + 30))

    assert engine.said == [("chat-good", "page", "firing"), ("chat-good", "page", "resolved")]
    assert set(states(list(engine.alerts.values())).values()) == {AlertState.INACTIVE}
    assert advance([], engine.alerts, engine.at_s + 60).transitions == ()


def test_what_was_not_looked_at_does_not_end() -> None:
    engine = Engine()
    engine.step(facts(BAD))
    moved = advance([], engine.alerts, engine.at_s + 30, complete=False)

    assert (moved.transitions, moved.notices) == ((), ())
    assert [alert.labels["severity"] for alert in moved.standing] == ["page"]


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_restart_changes_nothing(cut: int) -> None:
    """The law of replay: whoever takes over between two instants says the same."""
    history = [facts(windows) for windows in (BAD, BAD, GOOD, GOOD, TICKET_ONLY, BAD, GOOD, GOOD, GOOD, GOOD, GOOD)]
    whole, parted = Engine(), Engine()
    for one in history:
        whole.step(one)
    for n, one in enumerate(history):
        if n == cut:
            parted.alerts = restored(parted.alerts, parted.at_s, {"chat-good": ONE.definition_hash})
        parted.step(one)

    assert parted.said == whole.said
    assert parted.alerts == whole.alerts


def test_two_replicas_say_the_same() -> None:
    """slo.md A8: labels, annotations and times byte for byte."""
    one, other = Engine(), Engine()
    real = failing(ONE, 600, 0.5, 600)

    assert one.step(real).notices == other.step(real).notices


@pytest.mark.parametrize(
    ("severity", "fired_s", "told"),
    [
        pytest.param("page", TOLD_S, True, id="a page, for five minutes"),
        pytest.param("page", TOLD_S - 30, False, id="a page, for less"),
        pytest.param("page", None, False, id="it does not fire"),
        pytest.param("ticket", TOLD_S, False, id="a ticket, that a page may have held back"),
    ],
)
def test_what_the_store_knows_to_fire_for_long_was_told(severity: str, fired_s: int | None, told: bool) -> None:
    engine = Engine()
    (fires,) = (one for one in engine.step(facts(BAD)).alerts.values() if one.labels["severity"] == severity)
    fired_at_s = None if fired_s is None else AT_S - fired_s
    known = replace(fires, record=replace(fires.record, fired_at_s=fired_at_s, last_sent_at_s=None))

    assert as_told(known, AT_S).record.last_sent_at_s == (fired_at_s if told else None)


def test_an_alert_of_another_definition_is_unknown_again() -> None:
    engine = Engine()
    engine.step(facts(BAD))
    fresh = restored(engine.alerts, engine.at_s, {"chat-good": 1})

    assert set(states(list(fresh.values())).values()) == {AlertState.UNKNOWN}
    assert restored({}, 0, {}) == {}
    assert replace(ONE, notes=()).windows_s == ONE.windows_s
