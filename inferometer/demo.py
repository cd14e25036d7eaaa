"""Knows how to show everything at work on a simulated engine, and says that it is simulated; refuses real targets.

Four processes under one supervisor: the simulated engine, `inferometer up` on a temporary data directory, and seeded
traffic; the foreground shows `top`. The user's own configuration is not read, so no real store or engine is touched.

Source: spec/ui.md 1 (demo).
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from signal import SIGINT

from inferometer import data_directory
from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.config_sources import CONFIG_VARIABLE, PREFIX
from inferometer.data_directory import DataDirectory
from inferometer.defaults import EXIT_INTERRUPTED, LOOPBACK
from inferometer.errors import InferometerError
from inferometer.listen import free_port
from inferometer.supervisor import Child, Log, Supervisor
from telemetry.clock import monotonic_ns

ENDPOINT = "demo (simulated)"
READY_S_MAX = 60.0
"""Longest time that the demo takes to come up before it gives up."""
_ENGINE_PORT = 8000
_STOP_S = 45.0
_TICK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed.

    Attributes:
        data: Data directory to keep; None takes a temporary one and removes it.
        seed: Of engine and traffic.
        seconds: How long to run once it is up; None until interrupted.
        rate_per_s: Requests per second.
        as_json: Print JSON instead of tables.
    """

    data: str | None = None
    seed: int = 7
    seconds: float | None = None
    rate_per_s: float = 5.0
    as_json: bool = False


def run(options: Options, log: Log) -> int:
    """Run the demo; shows the last minute live, or prints it at the end if it is to end by itself.

    Returns:
        The exit code: 130 after SIGINT, else 0.

    Raises:
        InferometerError: It does not come up.
    """
    log("demo: engine, traffic and all numbers are simulated", endpoint=ENDPOINT)
    with ExitStack() as held:
        root = options.data or held.enter_context(tempfile.TemporaryDirectory(prefix="inferometer-demo-"))
        data = data_directory.resolve(root)
        data_directory.refuse_unusable(data)
        port = free_port(Address(host=LOOPBACK, port=_ENGINE_PORT), "engine", auto=True)
        engine = Address(host=LOOPBACK, port=port)
        with Supervisor(children(engine, data, options), log=log) as supervisor:
            supervisor.start()
            _until_ready(supervisor, data)
            if supervisor.ended_by is None:
                _show(supervisor, data, options)
        return EXIT_INTERRUPTED if supervisor.ended_by == SIGINT else 0


def children(engine: Address, data: DataDirectory, options: Options) -> list[Child]:
    """Return what runs: the traffic ends first, then what watches, the engine last."""
    seed = ("--seed", str(options.seed))
    env = clean_environment()
    engine_argv = (sys.executable, "-m", "telemetry.testing.engine", "--port", str(engine.port), "--quiet", *seed)
    where = ("--target", engine.url, "--endpoint", ENDPOINT, "--data", str(data.root), "--port", "auto")
    up_argv = (sys.executable, "-m", "inferometer", "up", *where)
    traffic = ("--data", str(data.root), "--rate-per-s", str(options.rate_per_s), *seed)
    traffic_argv = (sys.executable, "-m", "inferometer.demo_traffic", *traffic)
    return [
        Child(role="simulated engine", argv=engine_argv, env=env, stop_rank=2),
        Child(role="up", argv=up_argv, env=env, stop_rank=1, stop_s_max=_STOP_S),
        Child(role="simulated traffic", argv=traffic_argv, env=env, stop_rank=0),
    ]


def clean_environment() -> dict[str, str]:
    """Return the environment without any configuration of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, CONFIG_VARIABLE: os.devnull}


def _until_ready(supervisor: Supervisor, data: DataDirectory) -> None:
    until_ns = monotonic_ns() + round(READY_S_MAX * 1e9)
    while supervisor.ended_by is None and not data_directory.read_status(data).get("ready"):
        supervisor.step(_TICK_S)
        if supervisor.children()["up"]["restarts"] or monotonic_ns() > until_ns:
            raise InferometerError("the demo does not come up; the lines above say why")


def _show(supervisor: Supervisor, data: DataDirectory, options: Options) -> None:
    from inferometer import top  # noqa: PLC0415  # rich and the store client are needed only now

    config = Config(data=str(data.root))
    if options.seconds is None:
        top.live(config, wait=supervisor.step, ended=lambda: supervisor.ended_by is not None)
        return
    end_ns = monotonic_ns() + round(options.seconds * 1e9)
    while supervisor.ended_by is None and monotonic_ns() < end_ns:
        supervisor.step(_TICK_S)
    if supervisor.ended_by is None:
        top.once(config, as_json=options.as_json)
