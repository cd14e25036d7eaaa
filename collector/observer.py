"""Knows the observer process: channels in, records out, one turn after another; refuses to know what the bytes mean.

It may be killed at any time: what it has handed to the spool stays, what was open is lost with it and counted by the
tees. It reads until every writer is gone or SIGTERM comes, then drains what is there and stops within a deadline.
SIGINT is left to the supervisor, which ends the tees first.

Source: spec/reliability.md 4.1, 4.4, 5.1; spec/measurement.md 1 (wall anchor every 10 s).
"""

import argparse
import contextlib
import resource
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from os import environ
from pathlib import Path
from random import SystemRandom
from select import EPOLLIN, epoll

from collector.channel import Reader
from collector.connection import Endpoint
from collector.exposition import MetricsServer, ObserverMetrics, Vitals
from collector.flow_headers import FlowHeaders
from collector.heartbeats import Heartbeats, Whereabouts, clock_event, whereabouts
from collector.labels import Labels
from collector.observe import Worker
from collector.otlp_settings import otlp_settings
from collector.plugin_rows import PluginRows
from collector.plugin_socket import PluginSocket
from collector.rows import Dimensions, Rows
from collector.series import Series
from telemetry.accounting import Lane
from telemetry.cargo import RowSink
from telemetry.clock import WallAnchor, monotonic_ns, sleep, wall_ms
from telemetry.delivery import Delivery
from telemetry.errors import SpoolError
from telemetry.handed import handed, secret

USAGE = 2
"""Exit status: the configuration is not valid."""
UNREACHABLE = 5
"""Exit status: the port or the spool directory cannot be taken."""

_PAUSE_S = 0.002
"""Wait between turns: frames are taken by the group, their stamps were made in the tee."""
_BEHIND_S = 0.05
"""Frames older than this leave no time to wait."""
_TICK_S = 1.0
_LOOK_NS = 10**9
_CLOCK_NS = 10 * 10**9
_ADOPT_NS = 60 * 10**9
_DRAIN_NS = 2 * 10**9
_STOP_S = 10.0
_LANES = (Lane.REQUESTS, Lane.HEARTBEATS)
_OTLP_STOP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverConfig:
    """What an observer process is told.

    Attributes:
        endpoint: Name of the endpoint.
        region: Region; empty if not set.
        workload_class: Class of the workload; empty if not set.
        variant: Release or canary arm; empty if not set.
        engine: Engine behind the endpoint.
        target: Where it is, host:port; empty if not known.
        models: Models that are known from the start.
        workflow_header: Header that names the workflow or batch job; empty if none does.
        workflow_key_file: File that holds the key of its hash.
        class_header: Header that names the class of the workload; empty if none does.
        channel_fds: Read ends of the channels, one for each tee worker.
        plugin_socket: Where the vLLM plugin is heard; empty if nowhere.
        spool_dir: Directory of the own spool.
        spool_bytes_max: Quota of it; None leaves the usual one.
        node: Name of this machine or pod.
        store_url: Of the store; empty keeps every record in the spool.
        store_user: Name that the store knows; empty if it asks for none.
        store_password_file: File that holds the password; empty if there is none.
        metrics_host: Address of `/metrics`.
        metrics_port: Port of `/metrics`; 0 takes a free one.
        memory_bytes_max: Cap on the address space; None sets none.
    """

    endpoint: str
    region: str = ""
    workload_class: str = ""
    variant: str = ""
    engine: str = "vllm"
    target: str = ""
    models: tuple[str, ...] = ()
    workflow_header: str = ""
    workflow_key_file: str = ""
    class_header: str = ""
    channel_fds: tuple[int, ...] = ()
    plugin_socket: str = ""
    spool_dir: str
    spool_bytes_max: int | None = None
    node: str
    store_url: str = ""
    store_user: str = ""
    store_password_file: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 8200
    memory_bytes_max: int | None = None


class Observer:
    """The loop: every turn reads each channel a little, then hands over what is finished.

    Args:
        endpoint: Turns frames into records.
        readers: Read ends of the channels.
        delivery: Takes the records.
        vitals: Told of lag, clock and channel.
        plugin: Where the vLLM plugin is heard; None if nowhere.
        series: Counts what is finished, for who asks this process and not the store.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        readers: list[Reader],
        delivery: Delivery,
        vitals: Vitals,
        plugin: PluginSocket | None = None,
        series: Series | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._delivery = delivery
        self._vitals = vitals
        self._plugin = plugin
        self._series = series or Series()
        names = endpoint.rows.dimensions
        self._heartbeats = Heartbeats(names, endpoint.counts, self._whereabouts, WallAnchor.now())
        self._workers = {reader.fileno(): (reader, Worker(endpoint)) for reader in readers}
        self._open = set(self._workers)
        self._next_clock_ns = monotonic_ns() + _CLOCK_NS
        self._next_adopt_ns = self._next_look_ns = monotonic_ns()

    def run(self, stop: socket.socket) -> None:
        """Go on until every writer is gone or a byte comes on `stop`, then drain."""
        with epoll() as poll:
            for fd in self._open:
                poll.register(fd, EPOLLIN)
            poll.register(stop.fileno(), EPOLLIN)
            if self._plugin is not None:
                poll.register(self._plugin.fileno(), EPOLLIN)
            while self._open:
                ready = [fd for fd, _ in poll.poll(_TICK_S)]
                if stop.fileno() in ready:
                    break
                self._turn([fd for fd in ready if fd in self._open], poll)
                self._hear()
                self._tick()
                if self._vitals.channel_lag_s < _BEHIND_S:
                    sleep(_PAUSE_S)
            self._drain(poll)

    def _turn(self, ready: list[int], poll: epoll) -> int:
        """Read the channels that are ready; returns the stamp of the newest frame, 0 if there was none."""
        newest_ns = 0
        for fd in ready:
            reader, worker = self._workers[fd]
            newest_ns = max(newest_ns, worker.take(reader.frames()))
            if reader.ended:
                poll.unregister(fd)
                self._open.discard(fd)
        records = self._endpoint.take()
        if records:
            self._delivery.append(records)
            self._heartbeats.ended(records)
            for record in records:
                self._series.add(record)
        self._vitals.channel_lag_s = (monotonic_ns() - newest_ns) / 1e9 if newest_ns else 0.0
        self._heartbeats.lagged(self._vitals.channel_lag_s)
        return newest_ns

    def _hear(self) -> None:
        """Take what the plugin has said; that costs one call when it is silent."""
        if self._plugin is not None and (records := self._plugin.records(wall_ms())):
            self._delivery.append(records)

    def _tick(self) -> None:
        now_ns = monotonic_ns()
        self._vitals.malformed_messages = sum(reader.malformed for reader, _ in self._workers.values())
        if self._plugin is not None:
            heard = self._plugin.rows
            self._vitals.plugin_rows = {"taken": heard.taken, "lost": heard.lost}
            self._vitals.plugin_malformed = heard.malformed
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + _LOOK_NS
            self._beat()
        if now_ns >= self._next_clock_ns:
            self._next_clock_ns = now_ns + _CLOCK_NS
            self._look_at_clock(WallAnchor.now())
            self._vitals.clock_steps = self._endpoint.rows.clock_steps
        if now_ns >= self._next_adopt_ns:
            self._next_adopt_ns = now_ns + _ADOPT_NS
            self._delivery.adopt()
            self._series.prune(wall_ms())

    def _look_at_clock(self, now: WallAnchor) -> None:
        """Take note of a step of the wall clock: times on both sides of it are not to be compared."""
        before = self._endpoint.rows.check_clock(now)
        if before is not None:
            self._delivery.append_samples([clock_event(self._delivery.collector, before, now)])

    def _beat(self) -> None:
        """Say once a second that we live, and what is in flight."""
        workers = [worker for _, worker in self._workers.values()]
        beat = self._heartbeats.beat(WallAnchor.now(), chain.from_iterable(one.open_requests() for one in workers))
        self._vitals.waiting = beat.waiting_first
        self._delivery.append_samples([beat])

    def _whereabouts(self) -> Whereabouts:
        delivery = self._delivery
        return whereabouts(delivery.collector, delivery.lanes(), delivery.frontier())

    def _drain(self, poll: epoll) -> None:
        """Take what still waits in the channels, for a while."""
        self._hear()
        end_ns = monotonic_ns() + _DRAIN_NS
        while self._open and monotonic_ns() < end_ns and self._turn(list(self._open), poll):
            pass


def run(config: ObserverConfig) -> int:
    """Run an observer process to its end; returns its exit status."""
    try:
        endpoint = _endpoint(config)
        readers = [Reader(socket.socket(fileno=fd)) for fd in config.channel_fds]
        store = _store(config)
    except (OSError, ValueError) as error:
        return _refused(USAGE, f"observer: {error}")
    vitals = Vitals(folded=endpoint.rows.folded)
    series = Series()
    info = (config.endpoint, config.region, config.workload_class, config.variant, config.engine)
    metrics = ObserverMetrics(endpoint.counts, vitals, series, info)
    try:
        server = MetricsServer(metrics, host=config.metrics_host, port=config.metrics_port)
    except OSError as error:
        address = f"{config.metrics_host}:{config.metrics_port}"
        return _refused(UNREACHABLE, f"observer: metrics address {address} cannot be taken: {error.strerror}")
    try:
        delivery = Delivery(
            Path(config.spool_dir), node=config.node, sink=store, lanes=_LANES, bytes_max=config.spool_bytes_max
        )
    except SpoolError as error:
        server.close()
        return _refused(UNREACHABLE, f"observer: {error}")
    metrics.lanes = delivery.lanes
    metrics.spool_events, metrics.shipping_events = delivery.spool_events, delivery.shipping_events
    with _stop_signal() as stop, _plugin(config) as plugin, _otlp(config, metrics, series):
        Observer(endpoint, readers, delivery, vitals, plugin, series).run(stop)
    left = delivery.close(_STOP_S)
    server.close()
    _say(f"observer: stopped, {endpoint.counts.recorded} requests recorded, {left} records wait in the spool")
    return 0


@contextmanager
def _stop_signal() -> Generator[socket.socket]:
    """Give a socket on which a byte comes with SIGTERM."""
    wake, told = socket.socketpair()
    with wake, told:
        told.settimeout(0)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(-1)


@contextmanager
def _plugin(config: ObserverConfig) -> Generator[PluginSocket | None]:
    """Give the socket of the vLLM plugin; None, and a line, if it cannot be had: what the tee sees matters more."""
    if not config.plugin_socket:
        yield None
        return
    rows = PluginRows(_dimensions(config), Labels(config.models), random=SystemRandom())
    try:
        plugin = PluginSocket(Path(config.plugin_socket), rows)
    except OSError as error:
        _say(f"observer: plugin socket {config.plugin_socket} cannot be taken, no rows from the engine: {error}")
        yield None
        return
    with plugin:
        yield plugin


@contextmanager
def _otlp(config: ObserverConfig, metrics: ObserverMetrics, series: Series) -> Generator[None]:
    """Send metrics by OTLP meanwhile, if the environment asks for it; a line, and nothing more, if that cannot be."""
    try:
        settings = otlp_settings(environ)
    except ValueError as error:
        _say(f"observer: no metrics by OTLP: {error}")
        settings = None
    if settings is None:
        yield
        return
    from collector import otlp_metrics  # noqa: PLC0415 -- 0.3 s that only who asks for it pays

    target = otlp_metrics.target(config.engine, config.target)
    sender = otlp_metrics.OtlpMetrics(series, metrics.in_flight, settings, target)
    metrics.otlp_exports = sender.counts
    yield
    if not sender.stop(_OTLP_STOP_S):
        _say("observer: the last metrics by OTLP may be lost, their receiver does not answer")


def _store(config: ObserverConfig) -> RowSink | None:
    if not config.store_url:
        return None
    from telemetry.store import Store  # noqa: PLC0415 -- 0.6 s of imports that an observer without a store need not pay

    return Store(config.store_url, user=config.store_user, password=secret(config.store_password_file))


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # whoever read stderr may be gone
        sys.stderr.write(line + "\n")


def _refused(status: int, line: str) -> int:
    _say(line)
    return status


def _endpoint(config: ObserverConfig) -> Endpoint:
    rows = Rows(_dimensions(config), Labels(config.models), random=SystemRandom(), anchor=WallAnchor.now())
    key = secret(config.workflow_key_file).encode()
    return Endpoint(rows, engine=config.engine, flows=FlowHeaders(config.workflow_header, key, config.class_header))


def _dimensions(config: ObserverConfig) -> Dimensions:
    return Dimensions(
        endpoint=config.endpoint,
        region=config.region,
        workload_class=config.workload_class,
        variant=config.variant,
    )


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m collector.observer")
    parser.add_argument("--config", required=True, help="ObserverConfig as JSON")
    try:
        config = handed(parser.parse_args().config, ObserverConfig)
    except ValueError as error:
        return _refused(USAGE, f"observer: --config: {error}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if config.memory_bytes_max is not None:
        resource.setrlimit(resource.RLIMIT_AS, (config.memory_bytes_max, config.memory_bytes_max))
    return run(config)


if __name__ == "__main__":
    sys.exit(main())
