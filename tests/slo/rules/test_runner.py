"""When rules are asked, what their findings mean for alerts, and what a store or a rule that fails does not do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.alarms import advance
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.burn_catalogue import Severity
from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.rule import Found, Mode, Row, Rows, RuleId, Settings
from slo.rules.runner import INSTANT_S_MAX, RETRY_S, SUBJECTS_MAX, Runner
from telemetry.errors import StoreBusyError, StoreUnreachableError
from telemetry.queries.question import PAGE_S, Question

AT_S = 1_790_000_100 // 300 * 300
PAGE, TICKET, SILENT = Verdict.PAGE, Verdict.TICKET, Verdict.SILENT


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRule:
    """A rule that asks one question and reads the verdict of each row."""

    id: RuleId = RuleId.ERROR_RATE_JUMP
    kind: Kind = Kind.ERRORS
    settings: Settings = field(default_factory=Settings)
    every_s: int = 30
    for_s: int = 0
    sql: str = "verdicts"

    def questions(self, at_s: int) -> Mapping[str, Question]:
        return {"all": Question(sql=self.sql, parameters={"at": at_s})}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        return [
            Found(
                labels={"endpoint": row["endpoint"]},
                sound=Verdict(row["sound"]),
                naive=Verdict(row["naive"]),
                words={"summary": f"seen at {at_s}"},
                is_known=row["known"],
            )
            for row in rows["all"]
        ]


def row(sound: Verdict, endpoint: str = "chat", naive: Verdict = SILENT, *, known: bool = True) -> Row:
    return {"endpoint": endpoint, "sound": sound.value, "naive": naive.value, "known": known}


@dataclass
class World:
    """A store, its answers and its troubles, a clock, and the alerts that come of it."""

    rows: Sequence[Row] = ()
    fresh: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"chat": (1, 1)})
    is_gone: bool = False
    refuses: bool = False
    spent_s: float = 0.0
    at_s: int = AT_S
    now_s: float = 0.0
    asked: list[Question] = field(default_factory=list[Question])
    alerts: Mapping[int, Alert] = field(default_factory=dict[int, Alert])
    said: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    def query(self, question: Question) -> Sequence[Row]:
        if self.is_gone:
            raise StoreUnreachableError("no")
        if "at" in question.parameters and "fresh_ms" in question.parameters:
            return [{"endpoint": name, "n": n, "n_fresh": fresh} for name, (n, fresh) in self.fresh.items()]
        if self.refuses:
            raise StoreBusyError("no")
        self.asked.append(question)
        self.now_s += self.spent_s
        return self.rows

    def step(self, runner: Runner, times: int = 1) -> None:
        for _ in range(times):
            moved = advance(runner.watches(self.at_s, self.alerts), self.alerts, self.at_s)
            self.alerts = moved.alerts
            self.said += [(n.labels["alertname"], n.severity, n.status.value) for n in moved.notices]
            self.at_s += 30

    def runner(self, *rules: OneRule) -> Runner:
        return Runner(self, rules, lambda: self.now_s)

    def asked_at(self) -> list[int]:
        return [int(str(one.parameters["at"])) for one in self.asked]


def states(world: World) -> set[AlertState]:
    return {alert.record.state for alert in world.alerts.values()}


FIRED = ("error_rate_jump", "page", "firing")
OVER = ("error_rate_jump", "page", "resolved")


def test_what_a_rule_finds_fires_says_both_verdicts_and_ends() -> None:
    world = World(rows=[row(PAGE, naive=TICKET)])
    runner = world.runner(OneRule())
    world.step(runner, times=2)
    (alert,) = world.alerts.values()
    world.rows = [row(SILENT)]
    world.step(runner, times=6)

    assert alert.labels == {"alertname": "error_rate_jump", "service": "chat", "endpoint": "chat", "severity": "page"}
    assert (alert.annotations["verdict"], alert.annotations["naive_verdict"]) == ("page", "ticket")
    assert world.said == [FIRED, OVER]


def test_a_rule_is_asked_at_whole_multiples_of_its_time_and_at_a_first_instant() -> None:
    world = World(rows=[row(PAGE)], at_s=AT_S + 60)
    runner = world.runner(OneRule(every_s=300))
    world.step(runner, times=10)

    assert world.asked_at() == [AT_S, AT_S + 300]
    assert world.said == [FIRED], "what it found holds in between"
    assert runner.last[0].at_s == AT_S + 300


def test_equal_questions_are_asked_once_and_a_disabled_rule_never() -> None:
    world = World(rows=[row(PAGE)])
    off = OneRule(id=RuleId.OOM, settings=Settings(enabled=False), sql="other")
    world.step(world.runner(OneRule(), OneRule(id=RuleId.ERROR_RATE_5XX), off))

    assert [one.sql for one in world.asked] == ["verdicts"]
    assert {alert.labels["alertname"] for alert in world.alerts.values()} == {"error_rate_jump", "error_rate_5xx"}


def test_the_severity_that_was_configured_replaces_the_rules_own() -> None:
    world = World(rows=[row(TICKET)])
    world.step(world.runner(OneRule(settings=Settings(severity=Severity.PAGE))))

    assert world.said == [FIRED]


@pytest.mark.parametrize(
    ("mode", "methods"), [(Mode.SOUND, ["sound"]), (Mode.NAIVE, ["naive"]), (Mode.BOTH, ["naive", "sound"])]
)
def test_each_reading_that_acts_has_an_alert_of_its_own(mode: Mode, methods: list[str]) -> None:
    world = World(rows=[row(PAGE, naive=PAGE)])
    world.step(world.runner(OneRule(settings=Settings(mode=mode))))

    assert sorted(alert.labels.get("method", "sound") for alert in world.alerts.values()) == methods
    assert sorted(alert.annotations.get("method", "sound") for alert in world.alerts.values()) == methods


def test_the_naive_reading_acts_where_it_was_asked_for_although_nothing_is_proven() -> None:
    world = World(rows=[row(SILENT, naive=PAGE, known=False)])
    world.step(world.runner(OneRule(settings=Settings(mode=Mode.BOTH))))

    assert [alert.labels["method"] for alert in world.alerts.values()] == ["naive"]


def unknown(world: World) -> None:
    world.rows = [row(SILENT, known=False)]


def refused(world: World) -> None:
    world.refuses = True


def gone(world: World) -> None:
    world.is_gone = True


def garbage(world: World) -> None:
    world.rows = [{"endpoint": None}]


def garbage_labels(world: World) -> None:
    world.rows = [{**row(SILENT), "endpoint": None}]


def stale(world: World) -> None:
    world.rows, world.fresh = [row(SILENT)], {"chat": (1, 0)}


def stale_and_empty(world: World) -> None:
    world.rows, world.fresh = [], {"chat": (1, 0)}


def half_heard(world: World) -> None:
    world.rows, world.fresh = [row(SILENT)], {"chat": (10, 8)}


BLIND = (unknown, gone, refused, garbage, garbage_labels, stale, stale_and_empty, half_heard)


@pytest.mark.parametrize("happens", BLIND)
def test_missing_data_resolves_nothing(happens: Callable[[World], None]) -> None:
    """slo.md 7; the alert goes on as it was when the data return."""
    world = World(rows=[row(PAGE)])
    runner = world.runner(OneRule())
    world.step(runner)
    happens(world)
    world.step(runner, times=100)

    assert (states(world), world.said) == ({AlertState.FIRING}, [FIRED])
    world.rows, world.fresh, world.is_gone, world.refuses = [row(SILENT)], {"chat": (1, 1)}, False, False
    world.step(runner, times=6)
    assert world.said == [FIRED, OVER]


def calm(world: World) -> None:
    world.rows = [row(SILENT)]


def bad(world: World) -> None:
    world.rows = [row(PAGE)]


def empty(world: World) -> None:
    world.rows = []


@given(
    st.sampled_from((Kind.ERRORS, Kind.OTHER)),
    st.lists(st.tuples(st.sampled_from((bad, bad, calm, empty, *BLIND)), st.integers(1, 8)), max_size=12),
    st.integers(0, 40),
)
def test_whatever_happens_nothing_ends_while_nobody_looks(
    kind: Kind, spans: Sequence[tuple[Callable[[World], None], int]], restart_at: int
) -> None:
    """The law of slo.md 7, also across a restart: an end is told only at an instant that was seen."""
    world = World()
    runner = world.runner(OneRule(kind=kind))
    for n, happens in enumerate(happens for happens, steps in spans for _ in range(steps)):
        runner = world.runner(OneRule(kind=kind)) if n == restart_at else runner
        world.fresh, world.is_gone, world.refuses, ended = {"chat": (1, 1)}, False, False, world.said.count(OVER)
        happens(world)
        world.step(runner)

        assert happens not in BLIND or world.said.count(OVER) == ended
    assert world.said.count(OVER) <= world.said.count(FIRED)


@pytest.mark.parametrize("kind", [Kind.ERRORS, Kind.OTHER])
def test_a_store_that_goes_between_two_questions_of_a_rule_ends_nothing_that_too_few_collectors_held(
    kind: Kind,
) -> None:
    world = World(rows=[row(PAGE)])
    runner = world.runner(OneRule(kind=kind, every_s=300))
    world.step(runner, times=10)
    half_heard(world)
    world.step(runner, times=3)
    world.is_gone = True
    world.step(runner, times=6)

    assert (states(world), world.said) == ({AlertState.FIRING}, [FIRED])


def test_a_restart_while_the_store_is_gone_keeps_the_alert_and_its_kind() -> None:
    world = World(rows=[row(PAGE)])
    world.step(world.runner(OneRule(), OneRule(id=RuleId.OOM, kind=Kind.OOM)))
    world.is_gone = True
    world.step(world.runner(OneRule(), OneRule(id=RuleId.OOM, kind=Kind.OOM)), times=10)

    assert (states(world), world.said) == ({AlertState.FIRING}, [("oom", "page", "firing")])


def test_a_subject_that_is_heard_and_has_no_requests_any_more_is_calm() -> None:
    world = World(rows=[row(PAGE)])
    runner = world.runner(OneRule())
    world.step(runner)
    world.rows = []
    world.step(runner, times=6)

    assert world.said == [FIRED, OVER]


def test_the_alerts_of_a_rule_that_is_switched_off_or_read_otherwise_end() -> None:
    world = World(rows=[row(PAGE, naive=PAGE)])
    world.step(world.runner(OneRule(settings=Settings(mode=Mode.BOTH))))
    world.step(world.runner(OneRule()))
    assert world.said[2:] == [OVER], "the naive one"
    world.step(world.runner(OneRule(settings=Settings(enabled=False))))

    assert (world.said[3:], states(world)) == ([OVER], {AlertState.INACTIVE})


def test_a_rule_that_needs_no_collectors_is_judged_without_them() -> None:
    world = World(rows=[row(TICKET, "gpu")], fresh={})
    runner = world.runner(OneRule(id=RuleId.GPU_BAND, kind=Kind.OTHER))
    world.step(runner)
    world.rows = [row(SILENT, "gpu")]
    world.step(runner, times=30)

    assert world.said == [("gpu_band", "ticket", "firing"), ("gpu_band", "ticket", "resolved")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(OneRule):
    """A rule whose question cannot be made."""

    id: RuleId = RuleId.ANOMALY

    def questions(self, at_s: int) -> Mapping[str, Question]:
        raise ZeroDivisionError(f"at {at_s}")


def test_a_rule_that_crashes_is_told_and_holds_no_other() -> None:
    world = World(rows=[row(PAGE)])
    runner = world.runner(Broken(), OneRule())
    world.step(runner)

    assert runner.problems == (f"rule anomaly: cannot be judged: ZeroDivisionError: at {AT_S}",)
    assert world.said == [FIRED]


def test_a_store_that_is_gone_is_asked_once_an_instant_and_of_everything_when_it_is_back() -> None:
    world = World(is_gone=True)
    runner = world.runner(OneRule(every_s=3_600))
    world.step(runner, times=2)
    world.is_gone = False
    world.step(runner)

    assert world.asked_at() == [AT_S // 3_600 * 3_600]


def test_a_store_that_is_gone_is_one_problem_of_all_rules() -> None:
    world = World(is_gone=True)
    runner = world.runner(OneRule(), OneRule(id=RuleId.OOM))
    world.step(runner)

    assert runner.problems == (
        "rules error_rate_jump, oom: cannot be judged: the store did not answer: StoreUnreachableError",
    )


def test_the_questions_of_an_instant_share_its_time_and_the_ones_that_waited_are_first() -> None:
    world = World(rows=[row(PAGE)], spent_s=INSTANT_S_MAX * 0.6)
    ids = (RuleId.OOM, RuleId.ANOMALY, RuleId.GPU_BAND)
    runner = world.runner(*(OneRule(id=one, sql=one, kind=Kind.OTHER) for one in ids))
    world.step(runner)
    assert [one.sql for one in world.asked] == ["oom", "anomaly"]
    assert [one.seconds_max for one in world.asked] == [PAGE_S, INSTANT_S_MAX * 0.4]
    assert runner.problems == ("rule gpu_band: cannot be judged: the store is too slow",)
    world.step(runner)

    assert [one.sql for one in world.asked[2:]] == ["gpu_band", "oom"]


def test_a_rule_that_fails_is_asked_again_before_its_time_but_not_at_every_instant() -> None:
    world = World(refuses=True)
    runner = world.runner(OneRule(every_s=3_600))
    world.step(runner, times=2)
    world.refuses = False
    world.step(runner, times=20)

    assert world.asked_at() == [AT_S // 3_600 * 3_600]
    assert runner.last[0].tried_s == AT_S + RETRY_S


@pytest.mark.parametrize("more", [0, 1])
def test_of_many_subjects_the_worst_have_alerts_and_the_others_are_counted(more: int) -> None:
    silent = [row(SILENT, f"a{n:03}") for n in range(SUBJECTS_MAX - 1 + more)]
    world = World(rows=[*silent, row(PAGE, "z")], fresh={"z": (1, 1)})
    runner = world.runner(OneRule())
    world.step(runner)

    assert (len(runner.last[0].found), runner.last[0].left_out, world.said) == (SUBJECTS_MAX, more, [FIRED])
    told = f"rule error_rate_jump: {more} subjects are more than {SUBJECTS_MAX} and have no alert"
    assert runner.problems == ((told,) if more else ())


def test_a_reload_keeps_what_was_found_and_drops_what_is_gone() -> None:
    world = World(rows=[row(PAGE)])
    runner = world.runner(OneRule(every_s=3_600), OneRule(id=RuleId.OOM, kind=Kind.OTHER))
    world.step(runner)
    runner.renew([OneRule(every_s=3_600, settings=Settings(threshold=2.0)), OneRule(id=RuleId.ANOMALY)])
    world.step(runner)

    assert [(one.rule.id, len(one.found)) for one in runner.last] == [(RuleId.ERROR_RATE_JUMP, 1), (RuleId.ANOMALY, 1)]
    assert runner.last[0].rule.settings.threshold == 2.0
    assert ("oom", "page", "resolved") in world.said


def test_two_replicas_say_the_same_whatever_the_order_of_the_rows() -> None:
    """slo.md A8."""
    rows = [row(PAGE, "a"), row(TICKET, "b"), row(PAGE, "c")]
    fresh = dict.fromkeys("abc", (1, 1))
    one, other = World(rows=rows, fresh=fresh), World(rows=rows[::-1], fresh=fresh)
    for world in (one, other):
        world.step(world.runner(OneRule()))

    assert [alert.notice() for alert in one.alerts.values()] == [alert.notice() for alert in other.alerts.values()]
