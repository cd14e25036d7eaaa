"""Knows when each built-in rule is asked, and what its findings mean for alerts; refuses to know any rule.

A rule is asked at instants that are whole multiples of its `every_s`, so that replicas ask the same; what it found
holds until it is asked again. All questions of one instant share `INSTANT_S_MAX`, and equal ones are asked once: a slow
rule delays the others by no more than its own question may take, and the alerts of an instant by no more than that.

What is not known resolves nothing: where a rule could not be judged, and where the collectors of an endpoint are not
heard, its alerts stand as they were.

| the rule of an alert | says bad | says nothing | does not name it any more |
|---|---|---|---|
| judged, collectors heard | bad | ok | no_traffic |
| judged, too few collectors heard | bad | blind | blind |
| judged by requests, no collector heard | blind | blind | blind |
| not judged | blind | blind | blind |
| disabled, or in another mode | - | - | it ends |

Source: spec/slo.md 7 (missing data), 8 (instants, replicas), 9 (identity), 13 (both verdicts, `mode`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from slo.alert import Alert
from slo.alert_moves import AlertEvent
from slo.alert_states import Timers, default_timers
from slo.burn_catalogue import Severity
from slo.identity import IDENTITY, fingerprint, identity_labels
from slo.inhibit import DERIVED, Kind
from slo.jump import Verdict
from slo.rules.rule import Found, Mode, Row, Rows, Rule
from slo.sight import Heard, heard_of
from slo.telemetry_state import COVERAGE_RATIO
from slo.watch import BAD, Watch, of_remembered
from telemetry import queries
from telemetry.errors import StoreBusyError, StoreError
from telemetry.queries.question import Question

SUBJECTS_MAX = 200
"""Subjects of one rule that have alerts; of more, those that are worst off, and the others are counted."""
INSTANT_S_MAX = 10.0
"""Time that the questions of one instant may take together."""
RETRY_S = 300
"""A rule that could not be judged is asked again after this time, or its own if that is shorter."""

_QUESTION_S_MIN = 0.1
_NEVER_S = -1
_IDENTITIES_KEPT = 16_384
_TROUBLE_CHARS = 200
_OF_REQUESTS = DERIVED | {Kind.OOM}
"""Kinds that are seen in requests alone: while no collector is heard they say nothing."""
_RANKS = {Verdict.PAGE: 0, Verdict.TICKET: 1, Verdict.SILENT: 2}


class Asks(Protocol):
    """Whom a rule asks."""

    def query(self, question: Question) -> Sequence[Row]:
        """Answer a question.

        Raises:
            StoreError: There is no answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """What a rule found last.

    Attributes:
        rule: The rule.
        found: Worst first; silent ones too, at most `SUBJECTS_MAX`.
        at_s: The instant that it was asked about; None before the first.
        left_out: Subjects beyond those.
        trouble: Why it could not be judged since; empty if it could.
        tried_s: The instant at which it was tried last.
    """

    rule: Rule
    found: tuple[Found, ...] = ()
    at_s: int | None = None
    left_out: int = 0
    trouble: str = ""
    tried_s: int = _NEVER_S


class Runner:
    """The built-in rules of one engine.

    Attributes:
        last: What every rule found last, disabled ones too, in their order; replaced whole.

    Args:
        store: The store, as who may read.
        rules: The rules.
        now_s: A clock that never goes back, seconds.
    """

    def __init__(self, store: Asks, rules: Sequence[Rule], now_s: Callable[[], float]) -> None:
        self._store, self._now_s = store, now_s
        self.last: tuple[Last, ...] = tuple(Last(rule=rule) for rule in rules)

    def renew(self, rules: Sequence[Rule]) -> None:
        """Go on with other rules; what those of the same names found last still holds."""
        known = {one.rule.id: one for one in self.last}
        self.last = tuple(replace(known[rule.id], rule=rule) if rule.id in known else Last(rule=rule) for rule in rules)

    def watches(self, at_s: int, before: Mapping[int, Alert]) -> list[Watch]:
        """Return what the rules say at an instant, also of alerts that are remembered and have no finding any more.

        Args:
            at_s: The instant.
            before: The alerts that are remembered.
        """
        answers = _Answers(self._store, self._now_s)
        try:
            heard = heard_of(answers.of(queries.coverage(at_s * 1000)), ())
        except StoreError:
            heard = {}
        due = sorted((one for one in self.last if _is_due(one, at_s)), key=lambda one: one.tried_s)
        asked = {id(one.rule): _asked(one, answers, at_s) for one in due}
        self.last = tuple(asked.get(id(one.rule), one) for one in self.last)
        spoken: dict[int, Watch] = {}
        for watch in (watch for one in self.last for watch in _said(one, heard)):
            if watch.fingerprint not in spoken or watch.event is AlertEvent.BAD:
                spoken[watch.fingerprint] = watch
        return [*spoken.values(), *_unsaid(self.last, before, spoken, heard)]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the rules, for people."""
        of: dict[str, list[str]] = {}
        for one in self.last:
            if one.trouble:
                of.setdefault(f"cannot be judged: {one.trouble}", []).append(one.rule.id)
            if one.left_out:
                of.setdefault(f"{one.left_out} subjects are more than {SUBJECTS_MAX} and have no alert", []).append(
                    one.rule.id
                )
        return tuple(f"{'rule' if len(ids) == 1 else 'rules'} {', '.join(ids)}: {why}" for why, ids in of.items())


class _Answers:
    """What the store says at one instant: each question asked once, within the time of all."""

    def __init__(self, store: Asks, now_s: Callable[[], float]) -> None:
        self._store, self._now_s, self._until_s = store, now_s, now_s() + INSTANT_S_MAX
        self._known: list[tuple[Question, Sequence[Row] | StoreError]] = []

    @property
    def has_time(self) -> bool:
        """Whether another question may be asked."""
        return self._until_s - self._now_s() > _QUESTION_S_MIN

    def of(self, question: Question) -> Sequence[Row]:
        """Return the answer to a question.

        Raises:
            StoreError: There is none, or there was none before.
        """
        known = next((answer for asked, answer in self._known if asked == question), None)
        answer = self._asked(question) if known is None else known
        if known is None:
            self._known.append((question, answer))
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def _asked(self, question: Question) -> Sequence[Row] | StoreError:
        if not self.has_time:
            return StoreBusyError("the time of an instant was used up")
        left_s = self._until_s - self._now_s()
        try:
            return self._store.query(replace(question, seconds_max=min(question.seconds_max, left_s)))
        except StoreError as error:
            return error


def _is_due(one: Last, at_s: int) -> bool:
    rule = one.rule
    if not rule.settings.enabled:
        return False
    is_new = one.at_s is None or _aligned(rule, at_s) > one.at_s
    return is_new and (not one.trouble or at_s - one.tried_s >= min(rule.every_s, RETRY_S))


def _aligned(rule: Rule, at_s: int) -> int:
    return at_s // rule.every_s * rule.every_s


def _asked(one: Last, answers: _Answers, at_s: int) -> Last:
    """Return what a rule finds now; what it meets is told, and the other rules go on."""
    if not answers.has_time:
        return replace(one, trouble="the store is too slow")  # not tried: it is among the first next time
    about_s = _aligned(one.rule, at_s)
    try:
        rows: Rows = {name: answers.of(question) for name, question in one.rule.questions(about_s).items()}
        found = sorted(map(_checked, one.rule.judge(about_s, rows)), key=_rank)
    except StoreError as error:
        return replace(one, trouble=f"the store did not answer: {type(error).__name__}", tried_s=at_s)
    except Exception as error:  # noqa: BLE001 -- rows may be anything, and one rule must not end the others
        return replace(one, trouble=f"{type(error).__name__}: {error}"[:_TROUBLE_CHARS], tried_s=at_s)
    kept, left_out = tuple(found[:SUBJECTS_MAX]), max(0, len(found) - SUBJECTS_MAX)
    return Last(rule=one.rule, found=kept, at_s=about_s, left_out=left_out, tried_s=at_s)


def _checked(found: Found) -> Found:
    """Return a finding whose labels and words are texts, whatever the rows had."""
    texts: list[object] = [*found.labels.values(), *found.words.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"labels or words are no texts: {dict(found.labels)}")
    return found


def _rank(found: Found) -> tuple[int, int, list[tuple[str, str]]]:
    return _RANKS[found.sound], _RANKS[found.naive], sorted(found.labels.items())


def _said(one: Last, heard: Mapping[str, Heard]) -> Iterator[Watch]:
    """Yield the alerts of what a rule found: a page and a ticket of each way to read it that acts."""
    rule = one.rule
    for found in one.found if rule.settings.enabled else ():
        coverage = _coverage(rule, found.labels, heard)
        for is_naive in _readings(rule.settings.mode):
            verdict = found.naive if is_naive else found.sound
            told = Severity(verdict.value) if verdict is not Verdict.SILENT else None
            told = rule.settings.severity if told and rule.settings.severity else told
            for severity in Severity:
                is_known = found.is_known or (is_naive and told is not None)
                event = _event(one, coverage, is_known=is_known, is_bad=told is severity)
                yield _watch(rule, found, severity, event, is_naive=is_naive)


def _readings(mode: Mode) -> tuple[bool, ...]:
    """Return which readings act, whether each is naive."""
    return {Mode.SOUND: (False,), Mode.NAIVE: (True,), Mode.BOTH: (False, True)}[mode]


def _event(one: Last, coverage: float, *, is_known: bool, is_bad: bool) -> AlertEvent:
    unseen = coverage == 0 and one.rule.kind in _OF_REQUESTS
    if one.trouble or not is_known or unseen:
        return AlertEvent.BLIND
    if is_bad:
        return AlertEvent.BAD
    return AlertEvent.OK if coverage >= COVERAGE_RATIO else AlertEvent.BLIND


def _watch(rule: Rule, found: Found, severity: Severity, event: AlertEvent, *, is_naive: bool) -> Watch:
    method = {"method": "naive"} if is_naive else {}
    said = {**found.labels, **method, "alertname": rule.id.value, "severity": severity.value}
    key, labels = _identity(tuple(said.items()))
    keep_firing_s = default_timers(severity, is_burn_rule=False).keep_firing_s
    return Watch(
        fingerprint=key,
        labels=labels,
        event=event,
        timers=Timers(for_s=rule.for_s, keep_firing_s=keep_firing_s),
        words=lambda: {
            "summary": f"{rule.id}: {' '.join(found.labels.values()) or 'everything'}",
            **found.words,
            "verdict": found.sound.value,
            "naive_verdict": found.naive.value,
            **({} if found.bad is None else {BAD: str(found.bad)}),
            **method,
        },
        kind=rule.kind,
        bad=found.bad,
    )


@lru_cache(maxsize=_IDENTITIES_KEPT)
def _identity(said: tuple[tuple[str, str], ...]) -> tuple[int, Mapping[str, str]]:
    """Return the fingerprint and the labels of an alert; who it is does not change from instant to instant."""
    finer = {name: value for name, value in said if name not in IDENTITY and value}
    labels = identity_labels(dict(said), finer)
    return fingerprint(labels), labels


def _unsaid(
    last: Iterable[Last], before: Mapping[int, Alert], spoken: Mapping[int, Watch], heard: Mapping[str, Heard]
) -> Iterator[Watch]:
    """Yield what is said of alerts that are remembered and that no finding is about."""
    of = {one.rule.id.value: one for one in last if one.rule.settings.enabled}
    for key, alert in before.items():
        one = None if key in spoken or alert.labels.get("slo") else of.get(alert.labels["alertname"])
        if one is not None and ("method" in alert.labels) in _readings(one.rule.settings.mode):
            seen = not one.trouble and not one.left_out
            seen = seen and _coverage(one.rule, alert.labels, heard) >= COVERAGE_RATIO
            yield of_remembered(alert, AlertEvent.NO_TRAFFIC if seen else AlertEvent.BLIND, one.rule.kind)


def _coverage(rule: Rule, labels: Mapping[str, str], heard: Mapping[str, Heard]) -> float:
    """Return the share of the collectors of a subject that is heard; 1 for one that is seen without collectors."""
    endpoint = labels.get("endpoint", "")
    if rule.kind not in _OF_REQUESTS and endpoint not in heard:
        return 1.0
    of = [heard[endpoint]] if endpoint in heard else [] if endpoint else list(heard.values())
    expected = sum(one.expected for one in of)
    return sum(one.fresh for one in of) / expected if expected else 0.0
