"""Knows what the addresses of a simulated fleet answer: its own and that of each replica; refuses to know sockets.

    GET  /metrics      vLLM's page; in front of a fleet all engines, as with data parallelism
    GET  /fleet        what is asked for, what is there, the last cold starts
    POST /fleet        {"replicas": 3}                  asks for so many
    POST /fleet/fault  {"replica": "r-0", "slower": 6}  makes a replica's steps so many times as long; 1 heals it

Source: spec/scaling.md 6.9 (phases of a start); vLLM, vllm/v1/metrics/loggers.py (one page for all `engine_indexes`).
"""

from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus

import msgspec

from loadtest.fleet.crew import Start
from loadtest.fleet.members import Stage
from loadtest.fleet.page import page
from loadtest.fleet.stepped import Stepped
from telemetry.testing.engine_bodies import MODEL, detail

_OK = HTTPStatus.OK


class _Scale(msgspec.Struct, forbid_unknown_fields=True):
    replicas: int


class _Fault(msgspec.Struct, forbid_unknown_fields=True):
    replica: str
    slower: float


class Seat:
    """The pace of one replica's own address."""

    def __init__(self, stepped: Stepped, name: str, started_unix_s: float) -> None:
        """Take a replica that serves."""
        self._stepped, self._name, self._started_unix_s = stepped, name, started_unix_s

    @property
    def is_open(self) -> bool:
        """Whether it takes requests."""
        return self._name in self._stepped.crew.ready

    def tokens(self, tokens_in: int, tokens_out: int) -> AsyncGenerator[int]:
        """Return the numbers of an answer's tokens, each one when its step has ended."""
        return self._stepped.tokens(tokens_in, tokens_out, self._name)

    def told(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, bytes] | None:
        """Return its page of metrics."""
        del body
        if (method, path) != ("GET", "/metrics"):
            return None
        now_s = self._stepped.move()
        return _OK, page(MODEL, [self._stepped.crew.live(self._name).shown(now_s)], self._started_unix_s)


class Front:
    """The pace of the fleet's address."""

    def __init__(
        self, stepped: Stepped, addresses: Callable[[], dict[str, str]], started_unix_s: float, started_s: float
    ) -> None:
        """Stand before a fleet.

        Args:
            stepped: Its time.
            addresses: Returns the URL of each replica that has one.
            started_unix_s: When the process began, wall time.
            started_s: The same instant on the fleet's own time.
        """
        self._stepped, self._addresses = stepped, addresses
        self._started_unix_s, self._offset_s = started_unix_s, started_unix_s - started_s

    @property
    def is_open(self) -> bool:
        """Whether any replica takes requests."""
        return bool(self._stepped.crew.ready)

    def tokens(self, tokens_in: int, tokens_out: int) -> AsyncGenerator[int]:
        """Return the numbers of an answer's tokens, each one when its step has ended."""
        return self._stepped.tokens(tokens_in, tokens_out)

    def told(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, bytes] | None:
        """Return the page of metrics of all engines, or what the fleet is like; scale it, or break a replica."""
        now_s = self._stepped.move()
        crew = self._stepped.crew
        try:
            match method, path:
                case "GET", "/metrics":
                    shown = [crew.live(name).shown(now_s) for name in crew.serving]
                    return _OK, page(MODEL, shown, self._started_unix_s)
                case "GET", "/fleet":
                    pass
                case "POST", "/fleet":
                    crew.scale(msgspec.json.decode(body, type=_Scale).replicas, now_s)
                case "POST", "/fleet/fault":
                    fault = msgspec.json.decode(body, type=_Fault)
                    crew.slow(fault.replica, fault.slower, now_s)
                case _:
                    return None
        except (ValueError, msgspec.DecodeError) as error:
            return HTTPStatus.BAD_REQUEST, detail(str(error))
        self._stepped.wake()
        return _OK, msgspec.json.encode(self._like())

    def _like(self) -> dict[str, object]:
        crew, addresses = self._stepped.crew, self._addresses()
        names = crew.serving
        return {
            "simulated": True,
            "spec": crew.wanted,
            "ready": crew.count(Stage.READY),
            "warming": crew.count(Stage.WARMING),
            "draining": crew.count(Stage.DRAINING),
            "replicas": [{"name": one, "url": addresses.get(one), "slower": crew.slower(one)} for one in names],
            "cold_starts": [self._started(one) for one in crew.starts],
        }

    def _started(self, one: Start) -> dict[str, object]:
        stable_s = None if one.stable_s is None else one.stable_s - one.ready_s
        return {
            "replica": one.replica,
            "asked_unix_s": one.asked_s + self._offset_s,
            **one.phases_s,
            "ready_s": one.ready_s - one.asked_s,
            "stable_s": stable_s,
        }
