"""Knows how simulated engines become a process that is asked over HTTP, in vLLM's wire shapes.

The wire is that of `telemetry.testing.engine`, which knows no pace; the engines are those of this room: a request waits
for its turn, reads its prompt in chunks, and slows down the others.

    python -m loadtest.fleet.server --port 8000 --alpha-s 0.0214 --beta-s 0.000484 --prefill-s 0.000111
    python -m loadtest.fleet.server --port 8000 --replicas 2 --seats 8001,8002,8003,8004 --cold-s 10

One engine alone is its own server. A fleet is one address in front, which hands each request to a replica, and an
address for each replica that may be, its seat: refused until the replica is ready, as that of a pod is. What they
answer beside vLLM's API: `loadtest.fleet.front`. It writes the front's address to stdout once it listens and ends on
SIGTERM.

Source: spec/loadtest.md 17; spec/scaling.md 7; spec/measurement.md 13 (vLLM).
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from loadtest.fleet.balance import Balance
from loadtest.fleet.crew import Crew
from loadtest.fleet.engine import Engine
from loadtest.fleet.front import Front, Seat
from loadtest.fleet.spec import ColdStart, FleetSpec
from loadtest.fleet.stepped import Stepped
from telemetry import clock
from telemetry.testing.engine import Options, announce, serve, until_signalled
from telemetry.testing.engine_bodies import MODEL_TOKENS_MAX

QUEUE_MAX = 65_536
"""Requests that may wait; the batch is limited by the engine."""
SPIN_STEP_S = 0.01
"""Empty steps shorter than this are waited for by spinning: a millisecond is too much of them."""
USUAL = Engine(
    alpha_s=0.0214, beta_s=0.000484, gamma_s=0.0, prefill_s=1 / 9000, hidden_s=0.0214, kv_blocks=7500, seqs_max=256
)
"""llama2-70b on four H100 (spec/scaling.md 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a process serves.

    Attributes:
        fleet: The engines.
        seed: Of their starts and of who gets a request.
        seats: Port of each replica that may be; none leaves the front alone.
        options: How the servers behave.
    """

    fleet: FleetSpec
    seed: int = 0
    seats: tuple[int, ...] = ()
    options: Options = field(default_factory=lambda: Options(fault_ratio=0.0, queue_max=QUEUE_MAX))


class _Seats:
    """Opens the address of each replica that serves, and closes that of one that is gone."""

    def __init__(self, served: Served, group: asyncio.TaskGroup) -> None:
        self._free = list(served.seats)
        self._options, self._group = served.options, group
        self._taken: dict[str, tuple[int, asyncio.Task[None]]] = {}

    def addresses(self) -> dict[str, str]:
        """Return the URL of each replica."""
        return {name: f"http://127.0.0.1:{port}" for name, (port, _) in self._taken.items()}

    def changed(self, stepped: Stepped) -> None:
        """Look who serves."""
        serving = stepped.crew.serving
        if serving == list(self._taken):
            return
        for name in set(self._taken) - set(serving):
            port, task = self._taken.pop(name)
            task.cancel()
            self._free.append(port)
        for name in serving:
            if name not in self._taken and self._free:
                port = self._free.pop(0)
                self._taken[name] = port, self._group.create_task(self._serve(stepped, name, port))

    async def _serve(self, stepped: Stepped, name: str, port: int) -> None:
        pace = Seat(stepped, name, clock.wall_ms() / 1000)
        try:
            await serve(self._options, port, _keep_still, pace)
        except* OSError as errors:
            sys.stderr.write(f"{name} has no address: port {port} cannot be taken: {errors.exceptions}\n")


async def served(what: Served, port: int, ready: Callable[[str, int], None] = announce) -> None:
    """Serve on 127.0.0.1 until cancelled.

    Args:
        what: The fleet and its addresses.
        port: TCP port of the front, 0 for any free one.
        ready: Called once with host and port when connections are accepted.
    """
    async with asyncio.TaskGroup() as group:
        seats = _Seats(what, group)
        spins = what.fleet.engine.alpha_s < SPIN_STEP_S
        stepped = Stepped(Crew(what.fleet, what.seed), lambda: seats.changed(stepped), spins=spins)
        began = clock.wall_ms() / 1000, asyncio.get_running_loop().time()
        group.create_task(stepped.run())
        group.create_task(serve(what.options, port, ready, Front(stepped, seats.addresses, *began)))


def main(arguments: list[str] | None = None) -> None:
    """Serve as a process, until SIGTERM or SIGINT."""
    what, port, is_quiet = _read(arguments)
    ready: Callable[[str, int], None] = _keep_still if is_quiet else announce
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_signalled(lambda: served(what, port, ready)))


def _keep_still(host: str, port: int) -> None:
    """Write nothing."""
    del host, port


def _read(arguments: list[str] | None) -> tuple[Served, int, bool]:
    parser = _parser()
    found = parser.parse_args(arguments)
    try:
        seats = tuple(int(port) for port in str(found.seats).split(",") if port)
        fleet = _fleet(found, max(len(seats), found.replicas))
    except ValueError as error:
        parser.error(str(error))
    options = Options(seed=found.seed, fault_ratio=found.fault_ratio, api_key=found.api_key, queue_max=found.queue_max)
    return Served(fleet=fleet, seed=found.seed, seats=seats, options=options), found.port, found.quiet


def _fleet(found: argparse.Namespace, replicas_max: int) -> FleetSpec:
    """Return the fleet that was asked for.

    Raises:
        ValueError: There is no such fleet.
    """
    engine = Engine(**{one.name: getattr(found, one.name) for one in fields(Engine)})
    if engine.kv_tokens < MODEL_TOKENS_MAX:
        raise ValueError(f"found a KV cache of {engine.kv_tokens} tokens, allowed from {MODEL_TOKENS_MAX}")
    if found.replicas < 1:
        raise ValueError(f"found {found.replicas} replicas, allowed 1 or more")
    return FleetSpec(
        engine=engine,
        replicas=found.replicas,
        replicas_max=replicas_max,
        balance=Balance(found.balance),
        cold=ColdStart(median_s=found.cold_s, sigma=found.cold_sigma),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loadtest.fleet.server", description="Simulated engines; they say so.")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--seed", type=int, default=0, help="of all chance")
    parser.add_argument("--fault-ratio", type=float, default=0.0, help="share of answers that fail")
    parser.add_argument("--api-key", default=None, help="bearer token that /v1 asks for")
    parser.add_argument("--queue-max", type=int, default=QUEUE_MAX, help="answers without a token before 503")
    parser.add_argument("--quiet", action="store_true", help="do not write the address to stdout")
    parser.add_argument("--replicas", type=int, default=1, help="ready at the start")
    parser.add_argument("--seats", default="", metavar="PORT,PORT", help="a port for each replica that may be")
    parser.add_argument("--balance", choices=tuple(Balance), default=Balance.ROUND_ROBIN, help="who gets a request")
    parser.add_argument("--cold-s", type=float, default=10.0, help="median of a start")
    parser.add_argument("--cold-sigma", type=float, default=0.3, help="lognormal spread of it")
    for one in fields(Engine):
        usual: float | int = getattr(USUAL, one.name)
        kind = float if isinstance(usual, float) else int
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=usual)
    return parser


if __name__ == "__main__":
    main()
