"""Knows what an engine's own page says about the surroundings of a run; refuses to fetch it.

    queue          nothing runs and nothing waits, and no request was counted between two looks
    foreign        requests that the engine counted and we did not send, at most 1 % of all
    restart        the process and its counters are those of the start
    configuration  version and flags are those of the start
    sleep          it was awake at every look
    cache          hits over queried tokens are within 5 points of what the plan shares
    cold           it was up for 10 minutes when the run began

What a page does not show is unknown. Requests that the engine counts before they end well or badly are compared with
those of ours that it may have counted, so a foreign one is never an artefact of how it counts. An engine that counts
fewer than it answered to us is one of several behind the target, and says nothing about others.

Source: spec/loadtest.md 11; spec/measurement.md 14 (what the counters mean).
"""

from dataclasses import dataclass

from loadtest.environment import Finding, State, When
from loadtest.reuse import APART_RATIO
from loadtest.run_spec import IDLE_S_MAX
from telemetry.samples import EngineSample

FOREIGN_RATIO_MAX = 0.01
"""Share of the engine's requests that may be of others."""
COLD_S = 600.0
"""An engine that has been up for less is cold."""
_STARTED = "process_start_unix_s"
_AWAKE, _UNTOLD = "awake", 0
_IDLE = f"0 running, 0 waiting, no other clients, within {IDLE_S_MAX:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What we did to the engine.

    Attributes:
        answered: Attempts that it answered with a body.
        sent: Attempts that it may have counted, answered or not.
        hit_ratio: Share of prompt tokens that the plan shares with earlier prompts; None if answers decide that, as in
            conversations.
    """

    answered: int
    sent: int
    hit_ratio: float | None


def requests(sample: EngineSample) -> int | None:
    """Return the requests that an engine has counted; None if it does not."""
    if sample.success_total:
        return sum(sample.success_total.values())
    counted = sample.extra.get("requests_total", sample.extra.get("succeeded_total"))
    return None if counted is None else int(counted)


def is_idle(before: EngineSample, now: EngineSample) -> bool | None:
    """Return whether an engine does nothing, by two looks; None if its page does not say."""
    if now.running is None or not (before.up and now.up):
        return None
    if now.running or now.queued:
        return False
    counted = requests(before), requests(now)
    return None if None in counted else counted[0] == counted[1]


def queue(before: EngineSample, now: EngineSample, waited_s: float) -> Finding:
    """Return what is said of an engine before a run.

    Args:
        before: The look before the last one.
        now: The last look.
        waited_s: How long it was waited for.
    """
    idle = is_idle(before, now)
    if idle is None:
        return Finding(name="queue", when=When.BEFORE, state=State.UNKNOWN, found="not on its page", allowed=_IDLE)
    others = _rise(requests(before), requests(now))
    shown = f"{now.running} running, {_shown(now.queued)} waiting, {_shown(others)} requests of others"
    found = f"{shown}, after {waited_s:.0f} s"
    return Finding(name="queue", when=When.BEFORE, state=State.OK if idle else State.UNFIT, found=found, allowed=_IDLE)


class Watch:
    """What an engine's page said from the start of a run on.

    Args:
        first: The last look before it.
    """

    def __init__(self, first: EngineSample) -> None:
        """Begin with the last look before the run."""
        self._first = self._last = first
        self._looks = self._gaps = 0
        self._sleep_states: set[str] = set()
        self._restarts = 0
        self._configurations: set[int] = set()

    def took(self, sample: EngineSample) -> None:
        """Take a look."""
        self._looks += 1
        if not sample.up:
            self._gaps += 1
            return
        started, before = (one.extra.get(_STARTED) for one in (sample, self._last))
        self._restarts += bool(sample.reset) or (None not in (started, before) and started != before)
        self._configurations.add(sample.config_hash)
        self._sleep_states.add(sample.sleep_state)
        self._last = sample

    def findings(self, own: Own, changed: tuple[str, ...] | None) -> list[Finding]:
        """Return what is said of the run.

        Args:
            own: What we did.
            changed: Names of facts that were others at the end than at the start; None if none could be compared.
        """
        return [
            self._restart(),
            self._configuration(changed),
            self._sleep(),
            self._foreign(own),
            self._prefix_cache(own),
            self._cold(),
            self._page(),
        ]

    def _restart(self) -> Finding:
        if self._looks == self._gaps:
            return _during("restart", None, "no look was answered", "one process")
        if not self._last.extra.get(_STARTED) and requests(self._last) is None:
            return _during("restart", None, "neither its start time nor counters are on its page", "one process")
        found = f"{self._restarts} times in {self._looks} looks"
        return _during("restart", not self._restarts, found, "never")

    def _configuration(self, changed: tuple[str, ...] | None) -> Finding:
        allowed, was, now = "version and flags of the start", self._first.config_hash, self._configurations - {_UNTOLD}
        is_told = was != _UNTOLD and bool(now)
        if changed is None and not is_told:
            return _during("configuration", None, "neither its page nor its answers say", allowed)
        names = (*(changed or ()), *(("configuration",) if is_told and now != {was} else ()))
        found = f"{', '.join(names)} changed" if names else "as at the start"
        return _during("configuration", not names, found, allowed)

    def _sleep(self) -> Finding:
        told = self._sleep_states - {""}
        asleep = sorted(told - {_AWAKE})
        found = f"it slept: {', '.join(asleep)}" if asleep else "awake at every look" if told else "not on its page"
        return _during("sleep", not asleep if told else None, found, "awake")

    def _foreign(self, own: Own) -> Finding:
        allowed = f"{FOREIGN_RATIO_MAX:.0%} of its requests"
        before, after = requests(self._first), requests(self._last)
        if before is None or after is None or self._restarts or after <= before:
            return _during("foreign", None, "no requests were counted on its page", allowed)
        counted = after - before
        if counted < own.answered:
            found = f"it counted {counted} of the {own.answered} that were answered: one engine of several"
            return _during("foreign", None, found, allowed)
        foreign = max(0, counted - own.sent)
        found = f"{foreign} of {counted} requests, {foreign / counted:.1%}"
        return _during("foreign", foreign <= FOREIGN_RATIO_MAX * counted, found, allowed)

    def _prefix_cache(self, own: Own) -> Finding:
        if own.hit_ratio is None:
            return _during("cache", None, "what turns of conversations share is not planned", "as planned")
        points = 100 * APART_RATIO
        allowed = f"{own.hit_ratio:.1%} as planned, {points:.0f} points more or less"
        hits = _rise(self._first.prefix_hits_total, self._last.prefix_hits_total)
        tokens = _rise(self._first.prefix_queries_total, self._last.prefix_queries_total)
        tokens = (
            tokens if tokens is not None else _rise(self._first.prompt_tokens_total, self._last.prompt_tokens_total)
        )
        if hits is None or not tokens or self._restarts:
            return _during("cache", None, "its hits are not on its page", allowed)
        ratio = hits / tokens
        state = State.OK if abs(ratio - own.hit_ratio) <= APART_RATIO else State.FLAG
        return Finding(name="cache", when=When.DURING, state=state, found=f"{ratio:.1%} hits", allowed=allowed)

    def _cold(self) -> Finding:
        allowed = f"up for {COLD_S:.0f} s"
        started_s = self._first.extra.get(_STARTED)
        if not started_s:
            return Finding(
                name="cold", when=When.BEFORE, state=State.UNKNOWN, found="no start time on its page", allowed=allowed
            )
        up_s = self._first.ts / 1000 - started_s
        state = State.OK if up_s >= COLD_S else State.FLAG
        return Finding(name="cold", when=When.BEFORE, state=state, found=f"up for {up_s:.0f} s", allowed=allowed)

    def _page(self) -> Finding:
        """Say how often nobody answered: what happened meanwhile was not seen."""
        state = State.NOTE if self._gaps else State.OK
        found = f"{self._gaps} of {self._looks} looks without a page"
        return Finding(name="page", when=When.DURING, state=state, found=found, allowed="a page at each look")


def _during(name: str, good: bool | None, found: str, allowed: str) -> Finding:  # noqa: FBT001 -- the state itself
    state = State.UNKNOWN if good is None else State.OK if good else State.UNFIT
    return Finding(name=name, when=When.DURING, state=state, found=found, allowed=allowed)


def _shown(number: int | None) -> str:
    return "?" if number is None else str(number)


def _rise(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None or after < before else after - before
