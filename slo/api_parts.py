"""Knows what the routes of the API speak to, and how a question to it becomes a problem; refuses to know HTTP servers.

Source: spec/slo.md 17.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fastapi import Request

from slo.alarms import Judged
from slo.alertmanager_body import rfc3339
from slo.api_asked import GroupAsked
from slo.api_reply import ProblemError
from slo.audit import By
from slo.composites import slo_of
from slo.desk import Desk
from slo.desk_store import DeskStore
from slo.hints_published import Hinting
from slo.hints_replayed import ReplayAsked, Replaying, ReplayShown
from slo.hints_target import Hinted
from slo.live_hub import Hub
from slo.lookback import Lookback
from slo.objective import Objective
from slo.panel_desk import PanelDesk
from slo.past import Past
from slo.problem import Mistake, ProblemCode
from slo.rules.spoken import Last
from slo.scaling.served import HintDesk, Served
from slo.shown import found_in, known
from slo.view import EngineView
from slo.watched import Watched

DAY_S = 86_400


class Engine(Protocol):
    """What evaluates."""

    @property
    def view(self) -> EngineView:
        """What it saw last."""
        ...


def _no_history(_watching: Sequence[Watched], _since_s: int, _until_s: int) -> tuple[Sequence[Past], Sequence[str]]:
    return (), ()


def _no_policies(_text: str) -> Sequence[Objective]:
    return ()


def _no_target(_name: str) -> None:
    return None


async def _no_replay(_target: Hinted, _asked: ReplayAsked) -> ReplayShown:
    raise ProblemError(ProblemCode.NOT_FOUND, "nothing is replayed here")


class NoHints:
    """A desk without targets."""

    def names(self) -> tuple[str, ...]:
        """Return none."""
        return ()

    def served(self, name: str, now_unix_s: float) -> Served | None:  # noqa: ARG002 -- whatever is asked
        """Return nothing."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What only the whole program can do; by default there is nothing.

    Attributes:
        history: Returns what is stored of objectives over a time, unix seconds, and what is odd about it.
        policies: Reads SLO documents, or says what is wrong with them (`ObjectiveError`).
        test: Tells a notification channel that this is a test; None if there is no such channel.
        replay: Replays policies over the traffic of a scaling target.
    """

    history: Callable[[Sequence[Watched], int, int], tuple[Sequence[Past], Sequence[str]]] = _no_history
    policies: Callable[[str], Sequence[Objective]] = _no_policies
    test: Callable[[str], Sequence[Mapping[str, object]] | None] = _no_target
    replay: Replaying = _no_replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes speak to.

    Attributes:
        engine: What evaluates.
        desk: What people decided.
        shared: The same, in the store.
        lookback: Questions to the store.
        now_s: Reads the wall clock, unix seconds.
        new_id: Makes a name that nobody has.
        panels: Answers panels.
        hub: The same, for all who follow them.
        hints: Where the last hint of each target lies.
        hinting: The same, with their past and what was done with them; None without any target.
        built_in: Returns what every built-in rule found last.
        beyond: What only the whole program can do.
        grafana_url: Where Grafana is that has our dashboards; empty if there is none.
    """

    engine: Engine
    desk: Desk
    shared: DeskStore
    lookback: Lookback
    now_s: Callable[[], int]
    new_id: Callable[[], str]
    panels: PanelDesk
    hub: Hub
    hints: HintDesk = field(default_factory=NoHints)
    hinting: Hinting | None = None
    built_in: Callable[[], Sequence[Last]] = tuple
    beyond: Beyond = Beyond()
    grafana_url: str = ""


def judged_of(view: EngineView, name: str, asked: GroupAsked) -> Judged:
    """Return what a route is about.

    Raises:
        ProblemError: There is no such objective or group, or the group is no group.
    """
    try:
        group = asked.values()
    except ValueError as error:
        raise invalid("query.group", str(error)) from None
    found = found_in(view, name, group)
    if found is not None:
        return found
    names = {one.watched.objective.name for one in known(view)}
    if name in names:
        raise ProblemError(ProblemCode.NOT_FOUND, f"objective {name} has no such group")
    if parts := sorted(one for one in names if slo_of(one) == name):
        raise ProblemError(ProblemCode.NOT_FOUND, f"{name} is made of objectives; ask for {', '.join(parts)}")
    raise ProblemError(ProblemCode.NOT_FOUND, f"there is no objective {name}")


def invalid(where: str, text: str) -> ProblemError:
    """Return that one value of a request is not what the route takes."""
    return ProblemError(ProblemCode.INVALID_REQUEST, f"{where}: {text}", Mistake(where=where, text=text))


def span_s(
    since: datetime | None, until: datetime | None, now_s: int, length_s: int, where: str = "query.from"
) -> tuple[int, int]:
    """Return a time [since, until), by default the last `length_s` seconds.

    Args:
        since: Its start; None leaves it to the length.
        until: Its end; None is now.
        now_s: The present, unix time.
        length_s: The usual length.
        where: Where the start stands in the request.

    Raises:
        ProblemError: It ends before it begins.
    """
    until_s = now_s if until is None else seconds(until)
    since_s = until_s - length_s if since is None else seconds(since)
    if since_s >= until_s:
        said = f"found {rfc3339(since_s)}, allowed: before `to`, which is {rfc3339(until_s)}"
        raise invalid(where, said)
    return max(0, since_s), until_s


def by(request: Request, parts: Parts, who: str, reason: str = "") -> By:
    """Return who asks for a change, for the trail."""
    address = "" if request.client is None else request.client.host
    return By(who=who, at_s=parts.now_s(), address=address, reason=reason)


def seconds(at: datetime) -> int:
    """Return a time as unix seconds."""
    return int(at.timestamp())


def identity(text: str) -> int:
    """Return the number of 64 bits that 16 hexadecimal digits stand for.

    Raises:
        ProblemError: They are none.
    """
    digits = "0123456789abcdef"
    if len(text) != 16 or any(one not in digits for one in text):  # noqa: PLR2004 -- 64 bits, four to a digit
        raise ProblemError(ProblemCode.NOT_FOUND, "a fingerprint has 16 hexadecimal digits")
    return int(text, 16)
