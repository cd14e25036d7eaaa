"""Knows the prober process: the probes that it is told of, their loop, the spool behind them; refuses to know answers.

It runs beside the observer and may be killed at any time: what it has handed to its spool stays, and the engine's
users never notice. Once a minute it says what became of its own probes, as a row like any other.

Source: spec/reliability.md 4.1, 5.4; spec/store.md 11.1 (one spool directory per writing process).
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from inferometer import probe_file
from inferometer.errors import InferometerError
from inferometer.log import to_stderr
from inferometer.probe_file import ProbeFile
from inferometer.replica_probe import ReplicaProbe
from inferometer.supervisor import Log
from probes.engine_metrics import EngineProbe, Target
from probes.gpu import GpuFeed
from probes.nvml_sample import Place
from probes.probe import Probe, Rounds, Row, Sink, Tally
from telemetry.clock import wall_ms
from telemetry.delivery import LANES, Delivery
from telemetry.errors import SpoolError
from telemetry.fetch import Client
from telemetry.handed import handed, secret
from telemetry.record import RequestRecord
from telemetry.samples import ProbeResult
from telemetry.store import Store

USAGE = 2
"""Exit status: the configuration is not valid."""
UNREACHABLE = 5
"""Exit status: the spool directory cannot be taken."""
SELF = "prober"
"""Name under which the prober speaks of itself."""
_STOP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberConfig:
    """What a prober process is told.

    Attributes:
        node: Name of this machine or pod.
        endpoint: Name of the endpoint.
        target: URL of the engine; empty asks none.
        replicas: URLs of the engines behind it, whose metrics are asked for instead; empty if it is the engine.
        models: Model names that may become labels.
        api_key_file: File that holds the engine's key; empty if it needs none.
        engine_interval_s: Time between two looks at the engine's metrics; 0 takes none.
        gpu: `auto` samples GPUs if there is a driver, `always` waits for one, `never` does not.
        gpu_interval_s: Time between two samples of a GPU.
        probe_file: File of synthetic probes; empty if there is none.
        self_interval_s: Time between two rows about the prober itself.
        spool_dir: Directory of the own spool.
        spool_bytes_max: Quota of it.
        store_url: Of the store.
        store_user: Name that the store knows; empty if it asks for none.
        store_password_file: File that holds the password; empty if there is none.
    """

    node: str
    endpoint: str
    target: str = ""
    replicas: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    api_key_file: str = ""
    engine_interval_s: float = 5.0
    gpu: str = "auto"
    gpu_interval_s: float = 1.0
    probe_file: str = ""
    self_interval_s: float = 60.0
    spool_dir: str
    spool_bytes_max: int | None = None
    store_url: str
    store_user: str = ""
    store_password_file: str = ""


class SelfReport:
    """The prober's own row: how many of its probes fail, and what became of their runs."""

    name = SELF
    limit_s = 5.0

    def __init__(self, node: str, interval_s: float) -> None:
        """Know nobody yet; `watch` says whom it speaks of."""
        self.interval_s = interval_s
        self._node = node
        self._rounds: Rounds | None = None

    def watch(self, rounds: Rounds) -> None:
        """Speak of these rounds."""
        self._rounds = rounds

    async def ask(self) -> Sequence[Row]:
        """Return the row."""
        tallies: Mapping[str, Tally] = {} if self._rounds is None else self._rounds.tallies
        troubled = sorted(name for name, tally in tallies.items() if tally.trouble)
        detail = {name: _said(tally) for name, tally in tallies.items() if name != SELF}
        return [self._row("failing" if troubled else "ok", len(troubled), detail)]

    def failed(self, reason: str) -> Sequence[Row]:
        """Return the row that says only why there is none."""
        return [self._row(reason, 0, {})]

    def _row(self, outcome: str, troubled_n: int, detail: dict[str, str]) -> ProbeResult:
        return ProbeResult(
            ts=wall_ms(),
            target=self._node,
            probe=SELF,
            outcome=outcome,
            ok=int(outcome == "ok"),
            value=float(troubled_n),
            detail=detail,
        )


def _said(tally: Tally) -> str:
    return " ".join(f"{name}={n}" for name, n in sorted(tally.counts.items())) + (
        f" trouble={tally.trouble}" if tally.trouble else ""
    )


def run(config: ProberConfig, log: Log) -> int:
    """Probe until SIGTERM comes; returns the exit status."""
    try:
        synthetic = probe_file.read(Path(config.probe_file)) if config.probe_file else None
        key, password = secret(config.api_key_file), secret(config.store_password_file)
    except (InferometerError, OSError) as error:
        log("prober cannot start", reason=str(error))
        return USAGE
    sink = Store(config.store_url, user=config.store_user, password=password)
    try:
        delivery = Delivery(
            Path(config.spool_dir), node=config.node, sink=sink, lanes=LANES, bytes_max=config.spool_bytes_max
        )
    except SpoolError as error:
        log("prober cannot start", reason=str(error))
        return UNREACHABLE
    asyncio.run(_probe(config, synthetic, key, delivery, log))
    left = delivery.close(_STOP_S)
    log("prober stopped", status=f"{left} rows wait in the spool")
    return 0


async def _probe(config: ProberConfig, synthetic: ProbeFile | None, key: str, delivery: Delivery, log: Log) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def sink(rows: Sequence[Row]) -> None:
        delivery.append([row for row in rows if isinstance(row, RequestRecord)])
        delivery.append_samples([row for row in rows if not isinstance(row, RequestRecord)])

    async with Client() as client:
        told = SelfReport(config.node, config.self_interval_s)
        probes = [told, *_engine(config, client, key, log), *(synthetic.probes(client) if synthetic else ())]
        rounds = Rounds(probes, sink, log, SystemRandom())
        told.watch(rounds)
        with ExitStack() as feeds:
            if config.gpu != "never":
                feeds.callback(_gpus(config, sink, log).stop)
            await rounds.run(stop)


def _engine(config: ProberConfig, client: Client, key: str, log: Log) -> list[Probe]:
    if not config.target or not config.engine_interval_s:
        return []
    targets = [
        Target(
            url=url,
            endpoint=config.endpoint,
            replica=url.partition("://")[2],
            models=config.models,
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )
        for url in config.replicas or (config.target,)
    ]
    if not config.replicas:
        return [EngineProbe(targets[0], client, interval_s=config.engine_interval_s, tell=log)]
    return [ReplicaProbe(EngineProbe(one, client, interval_s=config.engine_interval_s), log) for one in targets]


def _gpus(config: ProberConfig, sink: Sink, log: Log) -> GpuFeed:
    place = Place(node=config.node, endpoint=config.endpoint, replica=config.target.partition("://")[2])
    feed = GpuFeed(place, config.gpu_interval_s, sink, log, expected=config.gpu == "always")
    feed.start()
    return feed


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m inferometer.prober")
    parser.add_argument("--config", required=True, help="ProberConfig as JSON")
    log = to_stderr()
    try:
        config = handed(parser.parse_args().config, ProberConfig)
    except ValueError as error:
        log("prober cannot start", reason=str(error))
        return USAGE
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor ends us
    return run(config, log)


if __name__ == "__main__":
    sys.exit(main())
