"""Knows when each built-in rule is asked, and that none holds another; refuses to know any rule.

A rule is asked at instants that are whole multiples of its `every_s`, so that replicas ask the same; what it found
holds until it is asked again. All questions of one instant share `INSTANT_S_MAX`, and equal ones are asked once: a slow
rule delays the others by no more than its own question may take, and the alerts of an instant by no more than that.

Source: spec/slo.md 8 (instants, replicas), 13.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from slo.alert import Alert
from slo.jump import Verdict
from slo.rules.rule import Found, Row, Rows, Rule
from slo.rules.services import Services
from slo.rules.spoken import NO_SERVICES, Last, spoken
from slo.sight import heard_of
from slo.watch import Watch
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
_TROUBLE_CHARS = 200
_RANKS = {Verdict.PAGE: 0, Verdict.TICKET: 1, Verdict.SILENT: 2}


class Asks(Protocol):
    """Whom a rule asks."""

    def query(self, question: Question) -> Sequence[Row]:
        """Answer a question.

        Raises:
            StoreError: There is no answer.
        """
        ...


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
        self._services = NO_SERVICES

    def renew(self, rules: Sequence[Rule], services: Services = NO_SERVICES) -> None:
        """Go on with other rules and services; what rules of the same names found last still holds."""
        self._services = services
        known = {one.rule.id: one for one in self.last}
        self.last = tuple(replace(known[rule.id], rule=rule) if rule.id in known else Last(rule=rule) for rule in rules)

    def watches(self, at_s: int, before: Mapping[int, Alert]) -> list[Watch]:
        """Return what the rules say at an instant, also of alerts that are remembered and have no finding any more.

        Args:
            at_s: The instant.
            before: The alerts that are remembered.
        """
        answers = _Answers(self._store, self._now_s)
        due = sorted((one for one in self.last if _is_due(one, at_s)), key=lambda one: one.tried_s)
        try:
            heard = heard_of(answers.of(queries.coverage(at_s * 1000)), ())
            asked = {id(one.rule): _asked(one, answers, at_s) for one in due}
        except StoreError as error:  # nothing more is asked, and all of it again at the next instant
            heard, asked = None, {id(one.rule): replace(one, trouble=_no_answer(error)) for one in due}
        self.last = tuple(asked.get(id(one.rule), one) for one in self.last)
        return spoken(self.last, heard, before, self._services)

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
        return replace(one, trouble=_no_answer(error), tried_s=at_s)
    except Exception as error:  # noqa: BLE001 -- rows may be anything, and one rule must not end the others
        return replace(one, trouble=f"{type(error).__name__}: {error}"[:_TROUBLE_CHARS], tried_s=at_s)
    kept, left_out = tuple(found[:SUBJECTS_MAX]), max(0, len(found) - SUBJECTS_MAX)
    return Last(rule=one.rule, found=kept, at_s=about_s, left_out=left_out, tried_s=at_s)


def _no_answer(error: StoreError) -> str:
    return f"the store did not answer: {type(error).__name__}"


def _checked(found: Found) -> Found:
    """Return a finding whose labels and words are texts, whatever the rows had."""
    texts: list[object] = [*found.labels.values(), *found.words.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"labels or words are no texts: {dict(found.labels)}")
    return found


def _rank(found: Found) -> tuple[int, int, list[tuple[str, str]]]:
    return _RANKS[found.sound], _RANKS[found.naive], sorted(found.labels.items())
