"""Knows how to show everything at work on a simulated fleet, and says that it is simulated; refuses real targets.

Four processes under one supervisor: the simulated fleet, `inferometer up` on a temporary data directory, seeded
traffic, and whoever plays the story (`demo_story`); the foreground shows `top`. The user's own configuration is not
read, so no real store or engine is touched.

Source: spec/ui.md 1 (demo), 1.4.
"""

import json
import os
import shutil
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
from inferometer.demo_story import ENDPOINT, OBJECTIVES, REPLICAS, REPLICAS_MAX, TARGETS
from inferometer.errors import InferometerError
from inferometer.listen import free_port
from inferometer.supervisor import Child, Log, Supervisor
from telemetry.clock import monotonic_ns

READY_S_MAX = 60.0
"""Longest time that the demo takes to come up before it gives up."""
IMPATIENT_RATIO = 0.6
"""Share of users who leave if nothing comes; half of all requests go to the broken replica, so about 0.3 do."""
_ENGINE_PORT = 8000
_ENGINE = ("--seqs-max", "8", "--cold-s", "6", "--cold-sigma", "0.2", "--fault-ratio", "0.01")
_SCRAPE_S = 2.0
_STOP_S = 45.0
_TICK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed.

    Attributes:
        data: Data directory to keep; None takes a temporary one.
        keep: Do not remove the temporary one.
        seed: Of fleet, traffic and story.
        seconds: How long to run once it is up; None until interrupted.
        rate_per_s: Requests per second.
        as_json: Print JSON instead of tables.
    """

    data: str | None = None
    keep: bool = False
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
    log("demo: engines, traffic and all numbers are simulated", endpoint=ENDPOINT)
    with ExitStack() as held:
        root = options.data or tempfile.mkdtemp(prefix="inferometer-demo-")
        if not (options.data or options.keep):
            held.callback(shutil.rmtree, root)
        data = data_directory.resolve(root)
        data_directory.refuse_unusable(data)
        ports = _ports()
        with Supervisor(children(ports, data, options), log=log) as supervisor:
            supervisor.start()
            _until_ready(supervisor, data)
            if supervisor.ended_by is None:
                _show(supervisor, data, options)
        return EXIT_INTERRUPTED if supervisor.ended_by == SIGINT else 0


def children(ports: list[int], data: DataDirectory, options: Options) -> list[Child]:
    """Return what runs: story and traffic end first, then what watches, the fleet last.

    Args:
        ports: Of the fleet and of each replica that may be.
        data: Where everything is kept.
        options: What was typed.
    """
    fleet, *seats = [Address(host=LOOPBACK, port=port) for port in ports]
    python, seed, root = (sys.executable, "-m"), ("--seed", str(options.seed)), ("--data", str(data.root))
    fleet_argv = (
        *(*python, "loadtest.fleet.server", "--port", str(fleet.port), "--quiet", *seed, *_ENGINE),
        *("--replicas", str(REPLICAS), "--seats", ",".join(str(seat.port) for seat in seats)),
    )
    config = _configured(fleet, seats, data)
    up_argv = (*python, "inferometer", "up", *root, "--config", config, "--port", "auto")
    rate = ("--rate-per-s", str(options.rate_per_s), "--impatient-ratio", str(IMPATIENT_RATIO))
    traffic_argv = (*python, "inferometer.demo_traffic", *root, *rate, *seed)
    story_argv = (*python, "inferometer.demo_play", *root, "--fleet", fleet.url, *seed)
    env = clean_environment()
    return [
        Child(role="simulated fleet", argv=fleet_argv, env=env, stop_rank=2),
        Child(role="up", argv=up_argv, env=env, stop_rank=1, stop_s_max=_STOP_S),
        Child(role="simulated traffic", argv=traffic_argv, env=env, stop_rank=0),
        Child(role="story", argv=story_argv, env=env, stop_rank=0),
    ]


def clean_environment() -> dict[str, str]:
    """Return the environment without any configuration of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, CONFIG_VARIABLE: os.devnull}


def _ports() -> list[int]:
    """Return free ports of the fleet and of its replicas, in a row as far as they are free."""
    found: list[int] = []
    for _ in range(1 + REPLICAS_MAX):
        first = found[-1] + 1 if found else _ENGINE_PORT
        found.append(free_port(Address(host=LOOPBACK, port=first), "engine", auto=True))
    return found


def _configured(fleet: Address, seats: list[Address], data: DataDirectory) -> str:
    """Write what `up` is told, and return its file."""
    folder = data.root / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    objectives, targets, config = folder / "objectives.yaml", folder / "targets.yaml", folder / "config.yaml"
    objectives.write_text(OBJECTIVES)
    targets.write_text(TARGETS)
    target = {"url": fleet.url, "endpoint": ENDPOINT, "replicas": [seat.url for seat in seats]}
    told = {
        "target": target,
        "slo": {"objectives": [str(objectives)]},
        "hints": {"targets": str(targets)},
        "probe": {"engine_interval_s": _SCRAPE_S, "gpu": "never"},
    }
    config.write_text(json.dumps(told))  # JSON is YAML
    return str(config)


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
