"""Knows whether live objectives burn while a load test runs, by asking a running `inferometer`; refuses to end the run.

An objective burns when its own alert of severity `page` is pending or fires: the rules behind it are the fast burn
rates, and a total outage; or when its endpoint is down. Tickets burn slowly and end no run. Who is blind does not know:
an evaluation that has stood still for `STALE_S`, and `SLOBlind` that fires, count as gone, and production is not loaded
blind.

Source: spec/loadtest.md, safety; spec/slo.md 5 (page rules), 7 (`EndpointDown`, `SLOBlind`), 10 (one alertname per
objective), 12 (`/v1/alerts`), 8 (an instant each 30 s).
"""

import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import msgspec

from inferometer import ask
from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.defaults import LOOPBACK
from inferometer.errors import UnreachableError
from inferometer.load_options import Options
from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK, Ending, Halt
from loadtest.target import target
from telemetry.clock import wall_ms

POLL_S = 2.0
"""From one question to the next."""
TRIES_MAX = 3
"""Questions in a row without an answer before nobody counts as there."""
STALE_S = 180.0
"""An evaluation that is older says nothing of now."""
_PATH = "/v1/alerts?state=firing&state=pending"
_DOWN, _BLIND = "EndpointDown", "SLOBlind"
_OK = 200


class Stop(StrEnum):
    """Why a run is to end."""

    NONE = ""
    BURN = "burn"
    BLIND = "blind"


class BurnWatch:
    """Asks again and again; use it as a context manager.

    Attributes:
        stop: Why the run is to end; NONE while it is not.
        words: The same for people.

    Args:
        address: The running `inferometer`.
        clock_ms: Reads the wall clock, unix milliseconds.
        endpoint: Whose objectives count; empty for all.
    """

    def __init__(self, address: Address, clock_ms: Callable[[], int] = wall_ms, endpoint: str = "") -> None:
        """Ask nothing yet."""
        self._endpoint = endpoint
        self.stop, self.words = Stop.NONE, ""
        self._address, self._clock_ms = address, clock_ms
        self._silent = 0
        self._over, self._thread = Event(), Thread(target=self._run, name="burn-watch", daemon=True)

    def __enter__(self) -> Self:
        """Ask once, then beside the run.

        Raises:
            UnreachableError: Nobody answers, or nobody who evaluates an objective.
        """
        try:
            if has_any := bool(self._asked("/v1/slos")["slos"]):
                self._look()
        except Exception as error:  # noqa: BLE001 -- as in `poll`
            raise UnreachableError(f"--abort-on-burn: {self._address.url} does not say: {error}") from None
        if not has_any:
            raise UnreachableError(f"--abort-on-burn: {self._address.url} evaluates no objective")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ask no more."""
        self._over.set()
        self._thread.join(ask.WAIT_S * 2)

    def ends(self, shown: Callable[[str], bool | None]) -> Callable[[str], bool]:
        """Return what shows progress, and says that the run is to end once it is."""
        return lambda line: bool(shown(line)) or bool(self.stop)

    def _run(self) -> None:
        while not self.stop and not self._over.wait(POLL_S):
            self.poll()

    def poll(self) -> None:
        """Ask once while a run goes on; whatever hinders an answer is silence, for blind no load goes on."""
        try:
            self._look()
            self._silent = 0
        except Exception as error:  # noqa: BLE001 -- what comes from outside may be anything, and nobody else hears it
            self._silent += 1
            if self._silent >= TRIES_MAX:
                self.stop = Stop.BLIND
                self.words = f"{self._address.url} no longer says whether objectives burn ({error})"

    def _look(self) -> None:
        told = self._asked(_PATH)
        age_s = self._clock_ms() / 1000 - datetime.fromisoformat(told["as_of"]).timestamp()
        if age_s > STALE_S:
            raise ValueError(f"its last evaluation is {age_s:.0f} s old")
        of_objectives = [one for one in told["alerts"] if one["slo"] and self._is_ours(one)]
        for one in of_objectives:
            if one["alertname"] == _BLIND and one["state"] == "firing":
                raise ValueError(f"nobody looks at {one['slo']}")
        pages = [one for one in of_objectives if one["severity"] == "page"]
        if burning := [one for one in pages if one["alertname"] in {one["slo"], _DOWN}]:
            self.stop, self.words = Stop.BURN, "; ".join(map(_burns, burning))

    def _is_ours(self, alert: dict[str, Any]) -> bool:
        """Return whether an alert may be of the endpoint; that of an objective over all endpoints is."""
        named = alert.get("labels", {}).get("endpoint")
        return not self._endpoint or named in {None, self._endpoint}

    def _asked(self, path: str) -> dict[str, Any]:
        answer = ask.get(self._address, path)
        if answer.status != _OK:
            raise ValueError(f"status {answer.status}")
        told: dict[str, Any] = json.loads(answer.body)
        return told


def watched_endpoint(config: Config, options: Options) -> str:
    """Return the endpoint whose objectives are watched; empty for all.

    It is the one that was typed or configured, else that of the configuration if its engine or its tee is loaded.
    """
    named = options.burn_endpoint or config.load.burn_endpoint
    if named or config.target.url is None or options.other_target is not None:
        return named
    engine = target(config.target.url).name
    ours = {engine, *(f"{host}:{config.tee.port}" for host in (LOOPBACK, "localhost"))}
    return (config.target.endpoint or engine) if target(options.target).name in ours else ""


def ended(ending: Ending, watch: BurnWatch) -> Ending:
    """Return an ending with what the live objectives make of it: a burn fails a run, and blindness says nothing.

    A run that was not fit, or interrupted, or ended otherwise, keeps its exit code.
    """
    if not watch.stop or ending.halt not in {Halt.ENOUGH, Halt.BURN}:
        return ending
    is_failed = watch.stop is Stop.BURN and ending.whole.sent
    code = (EXIT_FAILED if is_failed else EXIT_INCONCLUSIVE) if ending.code == EXIT_OK else ending.code
    said = f"{watch.words}: partial run, ended after {ending.whole.sent} of {ending.planned} arrivals"
    message = f"{said}; {ending.message}" if ending.code != EXIT_OK else said
    return msgspec.structs.replace(ending, code=code, halt=Halt.BURN, message=message)


def _burns(alert: dict[str, Any]) -> str:
    summary = alert["annotations"].get("summary", "")
    return f"objective {alert['slo']} burns: {alert['alertname']} is {alert['state']} since {alert['active_at']}" + (
        f" ({summary})" if summary else ""
    )
