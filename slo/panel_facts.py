"""Knows how one answer serves all who ask for it in the same moment; refuses to know panels.

A page asks for ten panels at once, and beside each of them the same is asked: who is heard, whose requests there were.
Many pages ask for the same panel. What was asked in the last moment is not asked again; whoever asks at the same time
waits for the one who is first, and is told what that one was told: of a store that hangs all learn after one wait, not
each after its own.

Source: spec/ui.md 2 (panel query p95 <= 300 ms; one query per panel, parameters and tick).
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

from telemetry.errors import StoreError
from telemetry.queries.question import Question
from telemetry.store import Store

FACTS_MAX = 100
"""Answers that are remembered."""

Told = TypeVar("Told")


@dataclass(slots=True)
class _Answer(Generic[Told]):
    """One answer; whoever holds the lock may ask for it."""

    lock: Lock = field(default_factory=Lock)
    told: Told | StoreError | None = None
    at_s: float = 0.0


class SharedAnswers(Generic[Told]):
    """Answers that are told to all who ask for a moment; every method may be called from any thread.

    Args:
        kept_s: How long an answer holds; 0 asks each time.
        monotonic_s: Reads a clock that only goes forward.
        most: Answers that are remembered.
    """

    def __init__(self, kept_s: float, monotonic_s: Callable[[], float], most: int) -> None:
        self._kept_s, self._monotonic_s, self._most = kept_s, monotonic_s, most
        self._answers: OrderedDict[str, _Answer[Told]] = OrderedDict()
        self._lock = Lock()

    def of(self, key: str, asked: Callable[[], Told]) -> Told:
        """Return what is known by a name, or ask for it.

        Args:
            key: The name.
            asked: Asks.

        Raises:
            StoreError: The store did not answer, now or a moment ago.
        """
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        with answer.lock:
            if answer.told is None or self._monotonic_s() - answer.at_s >= self._kept_s:
                answer.told = _answered(asked)
                answer.at_s = self._monotonic_s()
            told = answer.told
        if isinstance(told, StoreError):
            raise type(told)(str(told), told.code)  # an own one for each: raising writes into it
        return told


class Facts:
    """What stands beside panels; every method may be called from any thread.

    Args:
        store: The store, as who may read.
        kept_s: How long an answer holds; 0 asks each time.
        monotonic_s: Reads a clock that only goes forward.
    """

    def __init__(self, store: Store, kept_s: float, monotonic_s: Callable[[], float]) -> None:
        self._store = store
        self._moment = SharedAnswers[Sequence[dict[str, Any]]](kept_s, monotonic_s, FACTS_MAX)

    def ask(self, question: Question) -> Sequence[dict[str, Any]]:
        """Return the answer to a question.

        Raises:
            StoreError: The store did not answer, now or a moment ago.
        """
        key = f"{question.sql} {sorted(question.parameters.items())}"
        return self._moment.of(key, lambda: self._store.query(question))


def _answered(asked: Callable[[], Told]) -> Told | StoreError:
    try:
        return asked()
    except StoreError as error:
        return error.with_traceback(None)
