"""Knows the routes of hints, and how news of one is waited for; refuses to make hints.

A question for news is kept open without a thread, for as long as its asker is there: it is woken when hints are
published, and answers 304 if none of them says anything else by then. What a hint says is numbered (`seq`); its ages
and its end go on under the same number. The entity tag is of the bytes, for who is told that nothing changed goes on
with the end that it has.

Source: spec/scaling.md 2 (routes), 3 (freshness); RFC 9110 (ETag, If-None-Match, 304), 9111 (max-age).
"""

import asyncio
import hashlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Annotated

from fastapi import BackgroundTasks, Body, Path, Query, Request, Response

from slo.api_asked import (
    FreezeBody,
    HintAckBody,
    HintAsked,
    Nothing,
    ReplayBody,
    ReplicasBody,
    StartBody,
    TimesAsked,
    WithdrawAsked,
)
from slo.api_parts import DAY_S, Parts, by, invalid, seconds, span_s
from slo.api_reply import ProblemError, known_tags, reply
from slo.audit import Deed
from slo.desk_records import NAME_CHARS_MAX, Marker, MarkerKind
from slo.hints_acts import FREEZE_S_MAX, ActKind, HintAct, HintActs
from slo.hints_published import Hinting, NeverSeenError, Published
from slo.hints_replayed import POLICIES_MAX, SPAN_S_MAX, ReplayAsked, ReplayShown
from slo.hints_score import calibration
from slo.hints_shown import act_shown, calibration_shown, history_shown, proposals_shown, start_shown
from slo.hints_target import TARGETS_MAX, Hinted
from slo.hints_word import promise
from slo.problem import ProblemCode
from slo.scaling.cold_start import PARTS, Told
from slo.scaling.policies.catalogue import listed
from slo.scaling.served import Served
from telemetry.errors import StoreError

WAITING_MAX = 2_000
"""Questions for news that are kept open; further ones are refused."""
_WEEK_S = 7 * DAY_S
Name = Annotated[str, Path(max_length=NAME_CHARS_MAX, description="Of the target.")]


class HintRoutes:
    """Routes of hints.

    Args:
        parts: What they speak to; without `hinting` there is no target.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._bell = _Bell()
        self._is_replaying = False

    async def hints(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """The last hint of every target that was seen; 503 if the store is silent for longer than one of them holds."""
        desk, now_s = self._parts.hints, self._parts.now_s()
        found, silent = list[Served](), None
        for name in desk.names():
            try:
                one = desk.served(name, now_s)
            except NeverSeenError as error:  # what was never seen is in no list
                one, silent = None, error
            found += [] if one is None else [one]
        if silent is not None and not found:
            raise silent
        body = b'{"hints":[' + b",".join(one.body for one in found) + b"]}"
        tag = _tag("".join(_tag(one.body) for one in found).encode())
        return _answer(request, body, tag, min((one.left_s(now_s) for one in found), default=0.0))

    async def hint(self, request: Request, name: Name, asked: Annotated[HintAsked, Query()]) -> Response:
        """The last hint of a target; with `wait` and `after_seq` the next one that says something else, or 304."""
        served, is_known = self._served(name), False
        if asked.wait and asked.after_seq is not None and served.hint.seq == asked.after_seq:
            served = await self._news(request, name, asked.after_seq, asked.wait)
            is_known = served.hint.seq == asked.after_seq
        return _answer(request, served.body, _tag(served.body), served.left_s(self._parts.now_s()), is_known=is_known)

    def hint_history(self, request: Request, name: Name, asked: Annotated[TimesAsked, Query()]) -> Response:
        """Hints of a time, newest first, each as it was first and with its score."""
        hinting = self._hinting(name)
        since_s, until_s = span_s(asked.since, asked.until, self._parts.now_s() + 1, _WEEK_S)
        return reply(request, history_shown(hinting.book.history(name, since_s, until_s), since_s, until_s))

    def calibration(self, request: Request, name: Name, _asked: Annotated[Nothing, Query()]) -> Response:
        """How far hints of a target were right: P95 forecasts that held, and what following would have changed."""
        hinting, now_s = self._hinting(name), self._parts.now_s()
        hinted = hinting.published.hinted(name)
        gpus = 0 if hinted is None else hinted.settings.target.gpus_per_replica
        scores = hinting.book.scores(now_s - _WEEK_S, now_s + 1, [name])
        minutes = hinting.book.minutes(now_s - DAY_S, now_s + 1, [name]).get(name, [])
        return reply(request, calibration_shown(name, calibration(scores, minutes, gpus)))

    def schedule_proposals(self, request: Request, name: Name, _asked: Annotated[Nothing, Query()]) -> Response:
        """Schedules that the past days of a target suggest, to be added by people; none below 14 days."""
        hinting = self._hinting(name)
        hinted, habits = hinting.published.hinted(name), hinting.habits(name)
        if hinted is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"there is no target {name}")
        return reply(request, proposals_shown(hinted, {} if habits is None else habits.history))

    def acknowledge_hint(self, request: Request, name: Name, body: Annotated[HintAckBody, Body()]) -> Response:
        """Say that a hint was carried out; 409 with the present number if it is not the last one."""
        hinting, served = self._hinting(name), self._served(name)
        hinted = hinting.published.hinted(name)
        before = hinting.acts.ack(name, body.hint_id, self._parts.now_s() + 1)
        if before is not None and (before.applied, before.actor) == (body.applied_replicas, body.actor):
            return reply(request, act_shown(before, replicas=True), 201)
        if body.hint_id != served.hint.id:
            raise ProblemError(
                ProblemCode.CONFLICT, f"that is not the last hint; the last one has seq {served.hint.seq}"
            )
        text = f"hint {served.hint.seq}: {served.hint.replicas.spec} to {body.applied_replicas} replicas"
        marker = Marker(
            at_s=self._parts.now_s(),
            kind=MarkerKind.SCALE,
            service=name,
            endpoint="" if hinted is None else hinted.endpoint,
            actor=body.actor,
            automated=body.automated,
            text=text,
        )
        # First, for the ack is not to hold if this is refused.
        self._parts.desk.mark(marker.id, marker, by(request, self._parts, body.actor))
        act = self._act(name, ActKind.ACK, body.actor, hint_id=body.hint_id, applied=body.applied_replicas)
        return reply(request, act_shown(self._keep(request, hinting, Deed.HINT_TAKEN_ON, act), replicas=True), 201)

    def report_replicas(self, request: Request, name: Name, body: Annotated[ReplicasBody, Body()]) -> Response:
        """Say how many replicas are asked for now, whoever asked; a hint begins with that number."""
        hinting = self._hinting(name)
        act = self._act(name, ActKind.REPORT, body.actor, applied=body.replicas)
        return reply(request, act_shown(self._keep(request, hinting, Deed.REPLICAS_REPORTED, act), replicas=True), 201)

    def tell_start(self, request: Request, name: Name, body: Annotated[StartBody, Body()]) -> Response:
        """Say how long phases of the start of a replica took; 503 if that is not kept."""
        hinting, took_s = self._hinting(name), body.took_s()
        if not took_s:
            raise invalid("body", f"must tell one of {', '.join(f'{phase}_s' for phase in PARTS)} at least")
        one = Told(at_s=self._parts.now_s(), replica=body.replica, took_s=took_s)
        hinting.starts.tell(name, one)
        return reply(request, start_shown(name, one), 201)

    def freeze(
        self, request: Request, name: Name, body: Annotated[FreezeBody, Body()], later: BackgroundTasks
    ) -> Response:
        """Let hints ask for no change until a time, at most seven days ahead; from the next instant on."""
        hinting, now_s = self._hinting(name), self._parts.now_s()
        until_s = seconds(body.until)
        if not now_s < until_s <= now_s + FREEZE_S_MAX:
            raise invalid("body.until", f"must be later than now, and at most {FREEZE_S_MAX} s")
        if not body.reason.strip():
            raise invalid("body.reason", "must be a few words")
        act = self._act(name, ActKind.FREEZE, body.who, until_ms=until_s * 1000, reason=body.reason)
        kept = self._keep(request, hinting, Deed.TARGET_FROZEN, act)
        later.add_task(_share, hinting.acts)
        return reply(request, act_shown(kept, replicas=False), 201)

    def unfreeze(
        self, request: Request, name: Name, asked: Annotated[WithdrawAsked, Query()], later: BackgroundTasks
    ) -> Response:
        """End a freeze, from the next instant on; 404 if there is none, here or in the store."""
        hinting, at_s = self._hinting(name), self._parts.now_s() + 1  # of what was said within this second the last
        if hinting.acts.freeze(name, at_s) is None:
            hinting.acts.look(at_s)
        if hinting.acts.freeze(name, at_s) is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"target {name} is not frozen")
        act = self._act(name, ActKind.UNFREEZE, asked.who, reason=asked.reason)
        kept = self._keep(request, hinting, Deed.TARGET_THAWED, act)
        later.add_task(_share, hinting.acts)
        return reply(request, act_shown(kept, replicas=False))

    async def replay(self, request: Request, name: Name, body: Annotated[ReplayBody, Body()]) -> Response:
        """Replay policies over the recorded traffic of a target, on simulated engines; one such replay at a time."""
        one = self._hinting(name).published.hinted(name)
        if one is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"there is no target {name}")
        asked = self._replay_asked(one, body)
        if self._is_replaying:
            raise ProblemError(ProblemCode.BUSY, "another replay is computed; ask again when it is done")
        self._is_replaying = True
        try:
            return reply(request, await self._replayed(request, one, asked))
        finally:
            self._is_replaying = False

    def _replay_asked(self, one: Hinted, body: ReplayBody) -> ReplayAsked:
        try:
            policies = listed(body.policy)
        except ValueError as error:
            raise invalid("body.policy", str(error)) from None
        if len(policies) > POLICIES_MAX:
            raise invalid("body.policy", f"found {len(policies)} policies, allowed: at most {POLICIES_MAX}")
        since_s, until_s = span_s(body.since, body.until, self._parts.now_s(), DAY_S, "body.from")
        if until_s - since_s > SPAN_S_MAX:
            raise invalid("body.from", f"found {until_s - since_s} s before `to`, allowed: at most {SPAN_S_MAX}")
        objective = promise(one, self._parts.engine.view).objective_ratio
        return ReplayAsked(
            policies=policies,
            since_s=since_s,
            until_s=until_s,
            seeds=body.seeds,
            objective_ratio=one.objective_ratio if objective is None else objective,
        )

    async def _replayed(self, request: Request, one: Hinted, asked: ReplayAsked) -> ReplayShown | None:
        """Replay for as long as the asker is there; None for one who is gone."""
        found: ReplayShown | ProblemError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_until_gone(request))
                try:
                    found = await self._parts.beyond.replay(one, asked)
                except ProblemError as error:  # a group would wrap it
                    found = error
                watch.cancel()
        except* _GoneError:
            pass  # nobody reads the answer
        if isinstance(found, ProblemError):
            raise found
        return found

    async def _news(self, request: Request, name: str, known_seq: int, wait_s: float) -> Served:
        """Wait until a hint says something else, as long as that may take and the asker is there."""
        published = self._hinting(name).published
        self._bell.is_of(published)
        with self._bell.place():
            try:
                async with asyncio.TaskGroup() as group:
                    watch = group.create_task(_until_gone(request))
                    await self._heard(published, name, known_seq, wait_s)
                    watch.cancel()
            except* _GoneError:
                pass  # nobody reads the answer
        return self._served(name)

    async def _heard(self, published: Published, name: str, known_seq: int, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        with suppress(StoreError, ProblemError):  # which whoever waited is told, too
            served = self._served(name)
            while served.hint.seq == known_seq and not published.is_over and (left_s := end_s - loop.time()) > 0:
                ends_s = served.left_s(self._parts.now_s())  # then it stands for no data, which is news too
                await self._bell.heard(min(left_s, ends_s + 1) if ends_s else left_s)
                served = self._served(name)

    def _served(self, name: str) -> Served:
        served = self._parts.hints.served(name, self._parts.now_s())
        if served is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"there is no hint of target {name}")
        return served

    def _hinting(self, name: str) -> Hinting:
        hinting = self._parts.hinting
        if hinting is None or hinting.published.hinted(name) is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"there is no target {name}")
        return hinting

    def _act(self, name: str, kind: ActKind, actor: str, **values: str | int) -> HintAct:
        at_ms = self._parts.now_s() * 1000
        return HintAct(at_ms=at_ms, target=name, kind=kind, actor=actor, **values)  # type: ignore[arg-type]  # its own

    def _keep(self, request: Request, hinting: Hinting, deed: Deed, act: HintAct) -> HintAct:
        """Write down who did it, then that it holds; who says again what he said last did nothing new."""
        before = hinting.acts.last(act)
        if before is None or act.kind is not ActKind.REPORT or not _says_the_same(act, before):
            self._parts.desk.note(deed, act.target, by(request, self._parts, act.actor, act.reason), act)
        return hinting.acts.put(act)


class _GoneError(Exception):
    """Whoever asked is there no more."""


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise _GoneError


def _share(acts: HintActs) -> None:
    """Let other replicas know before the next instant; if the store is silent now, that comes with a later one."""
    with suppress(StoreError):
        acts.share()


def _says_the_same(one: HintAct, other: HintAct) -> bool:
    return (one.kind, one.actor, one.applied) == (other.kind, other.actor, other.applied)


class _Bell:
    """Wakes those who wait in the server's loop, from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        self._waiting = 0

    def is_of(self, published: Published) -> None:
        """Wake in the running loop, whenever there are new hints."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            published.listen(self.ring)

    @contextmanager
    def place(self) -> Generator[None]:
        """Be one of those who wait.

        Raises:
            ProblemError: So many wait already that no one more may.
        """
        if self._waiting >= WAITING_MAX:
            raise ProblemError(ProblemCode.CROWDED, f"{WAITING_MAX} questions wait for news already; ask without wait")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def ring(self) -> None:
        """Wake all who wait."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def heard(self, longest_s: float) -> None:
        """Wait for the next ring, but no longer than so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), longest_s)

    def _wake(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()


@lru_cache(maxsize=4 * TARGETS_MAX)
def _tag(body: bytes) -> str:
    """Return the entity tag of bytes; many ask for the same ones."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _answer(request: Request, body: bytes, tag: str, left_s: float, *, is_known: bool = False) -> Response:
    headers = {"ETag": tag, "Cache-Control": f"max-age={int(left_s)}"}
    known = known_tags(request)
    if is_known or tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content=body, headers=headers, media_type="application/json")
