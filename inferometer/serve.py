"""Knows the process that serves the API and evaluates objectives; refuses to know what it answers.

It owns the port of pages, API and metrics. What the observer counts is asked of the observer and passed on.

Source: design.md (port 8200, stateless control plane); spec/slo.md 17; spec/reliability.md 13 (hosts).
"""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from fastapi import FastAPI, Request, Response

from inferometer.control import Control, Settings
from inferometer.errors import InferometerError
from inferometer.log import to_stderr
from inferometer.store_listen import served
from inferometer.supervisor import Log
from inferometer.trials import beyond
from slo.api import application
from slo.api_guard import hosts_of
from slo.api_parts import Parts
from slo.budget import BlindPolicy
from slo.errors import SloError
from slo.freeze import DEFAULT_POLICY, Policy
from slo.lookback import Lookback
from slo.rules.rule import RuleId
from slo.rules.rule import Settings as RuleSettings
from telemetry import guard
from telemetry.clock import wall_ms
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.handed import handed, secret
from telemetry.store import Store

USAGE = 2
UNREACHABLE = 5
_PAGE_BYTES = 32 << 20
_PAGE_S = 10.0
_PASSED_ON = ("content-type",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """What a serving process is told.

    Attributes:
        host: Address that it listens on.
        port: Port that it listens on.
        objectives: Files and folders of SLOs.
        channels: File of notification channels; empty tells nobody.
        ledger: The engine's own file.
        lease: File that replicas share; empty if there is no other.
        blind_policy: What the time is in which nobody looked.
        replica: Name of this engine in rows.
        metrics_url: Where the observer's metrics are; empty if there is no observer.
        store_url: Of the store.
        reader: Name that may read.
        reader_password_file: Its password; empty if there is none.
        writer: Name that may insert.
        writer_password_file: Its password; empty if there is none.
        rules: What was configured of built-in rules.
        policy: What low budgets ask for.
    """

    host: str
    port: int
    objectives: tuple[str, ...]
    channels: str = ""
    ledger: str
    lease: str = ""
    blind_policy: BlindPolicy = BlindPolicy.EXCLUDE
    replica: str
    metrics_url: str = ""
    store_url: str
    reader: str = ""
    reader_password_file: str = ""
    writer: str = ""
    writer_password_file: str = ""
    rules: Mapping[RuleId, RuleSettings] = field(default_factory=dict[RuleId, RuleSettings])
    policy: Policy = DEFAULT_POLICY

    @property
    def url(self) -> str:
        """Where people find it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def run(config: ServeConfig, log: Log) -> int:
    """Serve until SIGTERM or SIGINT comes; returns the exit code."""
    try:
        reader = Store(config.store_url, user=config.reader, password=secret(config.reader_password_file))
        writer = Store(config.store_url, user=config.writer, password=secret(config.writer_password_file))
        settings = Settings(
            objectives=tuple(map(Path, config.objectives)),
            channels=Path(config.channels) if config.channels else None,
            ledger=Path(config.ledger),
            lease=Path(config.lease) if config.lease else None,
            blind_policy=config.blind_policy,
            replica=config.replica,
            base_url=config.url,
            rules=config.rules,
            policy=config.policy,
        )
        control = Control(settings, reader, writer, log)
    except (InferometerError, SloError, OSError) as error:
        log("cannot serve", reason=str(error))
        return USAGE
    try:
        listener = socket.create_server((config.host, config.port), family=_family(config.host), backlog=128)
    except OSError as error:
        log("cannot serve", reason=f"{config.host}:{config.port} cannot be taken: {error.strerror}")
        return UNREACHABLE
    with listener:
        return asyncio.run(_serve(config, control, reader, listener))


async def _serve(config: ServeConfig, control: Control, reader: Store, listener: socket.socket) -> int:
    parts = Parts(
        engine=control,
        desk=control.desk,
        shared=control.shared,
        lookback=Lookback(reader),
        now_s=lambda: wall_ms() // 1000,
        new_id=lambda: uuid4().hex,
        built_in=lambda: control.built_in.last,
        beyond=beyond(reader, config.channels),
    )
    app = application(parts, hosts_of(config.host, config.port), version("inferometer"))
    control.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, control.reload)
    try:
        async with Client() as client:
            _pass_metrics_on(app, client, config.metrics_url)
            return await served(app, listener)
    finally:
        await asyncio.to_thread(control.stop)


def _pass_metrics_on(app: FastAPI, client: Client, url: str) -> None:
    """Let `/metrics` be the observer's page; 503 while it does not answer."""

    async def metrics(request: Request) -> Response:
        if not url:
            return Response("no observer runs here\n", 404, media_type="text/plain")
        headers = {"Accept": request.headers.get("accept", "text/plain")}
        try:
            page = await client.fetch(
                "GET", url, headers=headers, total_s=_PAGE_S, bytes_max=_PAGE_BYTES, policy=guard.ENGINE
            )
        except FetchError as error:
            return Response(f"the observer does not answer: {error.kind}\n", 503, media_type="text/plain")
        passed = {name: page.headers[name] for name in _PASSED_ON if name in page.headers}
        return Response(page.body, page.status, headers=passed)

    app.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m inferometer.serve")
    parser.add_argument("--config", required=True, help="ServeConfig as JSON")
    log = to_stderr()
    try:
        config = handed(parser.parse_args().config, ServeConfig)
    except ValueError as error:
        log("cannot serve", reason=str(error))
        return USAGE
    return run(config, log)


if __name__ == "__main__":
    sys.exit(main())
