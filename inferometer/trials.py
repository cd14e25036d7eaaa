"""Knows how the API gets at what only the whole program has: stored history, SLO documents, notification channels.

Refuses to know routes. What is wrong with a question becomes an error of the room that asks.

Source: spec/slo.md 11 (test of a target), 15 (backtest).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from inferometer import channel_file, slo_files, slo_notify
from inferometer.errors import ConfigurationError
from inferometer.slo_history import History
from slo.api_parts import Beyond
from slo.api_reply import ProblemError
from slo.api_trials import INSTANTS_MAX
from slo.errors import ObjectiveError
from slo.objective import Objective
from slo.openslo import load
from slo.past import Past
from slo.problem import ProblemCode
from slo.watched import Watched
from telemetry.clock import wall_ms
from telemetry.queries import Question
from telemetry.store import Store


def beyond(store: Store, channels: str) -> Beyond:
    """Return what the API may try out.

    Args:
        store: The store, as who may read.
        channels: File of notification channels; empty if there is none.
    """
    return Beyond(history=partial(_history, _Rows(store)), policies=_policies, test=partial(_tested, channels))


class _Rows:
    """A store whose errors stay what they are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self, question: Question) -> list[dict[str, object]]:
        """Answer a question.

        Raises:
            StoreError: The store does not answer or refuses.
        """
        return self._store.query(question)


def _history(
    rows: _Rows, watching: Sequence[Watched], since_s: int, until_s: int
) -> tuple[Sequence[Past], Sequence[str]]:
    history = History(rows, since_s, until_s, INSTANTS_MAX)
    try:
        pasts = history.pasts(*watching)
    except ConfigurationError as error:
        raise ObjectiveError("", "from", str(error), "a shorter time") from None
    return pasts, tuple(history.notes)


def _policies(text: str) -> Sequence[Objective]:
    try:
        return load(slo_files.written(text, "policy")).objectives
    except ConfigurationError as error:
        raise ObjectiveError("", "policy", str(error), "SLO documents, as files hold them") from None


def _tested(channels: str, name: str) -> Sequence[Mapping[str, object]] | None:
    try:
        known = channel_file.channels(Path(channels)) if channels else ()
    except ConfigurationError as error:
        raise ProblemError(ProblemCode.CONFLICT, f"the file of channels is not what it was: {error}") from None
    chosen = [channel for channel in known if channel.name == name]
    return slo_notify.tested(chosen, wall_ms() // 1000) if chosen else None
