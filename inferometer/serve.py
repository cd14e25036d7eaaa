"""Knows the process that serves the API and evaluates objectives; refuses to know what it answers.

It owns the port of pages, API and metrics. What the observer counts is asked of the observer and passed on.

Source: design.md (port 8200, stateless control plane); spec/slo.md 17; spec/reliability.md 13 (hosts).
"""

import argparse
import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from fastapi import FastAPI, Request, Response

import dashboards
from dashboards.panels import PANELS
from inferometer.control import Control, Settings
from inferometer.errors import InferometerError, UnreachableError
from inferometer.hints_control import HintControl
from inferometer.hints_faces import TEXT, Faces, HintPage, keda
from inferometer.hints_file import Defaults, targets
from inferometer.hints_whatif_process import Replays
from inferometer.log import to_stderr
from inferometer.store_listen import Receive, Scope, Send, served
from inferometer.supervisor import Log
from inferometer.trials import beyond
from slo.api import application
from slo.api_guard import hosts_of
from slo.api_hints import WAITING_MAX
from slo.api_parts import NoHints, Parts
from slo.api_reply import told
from slo.budget import BlindPolicy
from slo.burn_gauges import burn_gauges
from slo.errors import SloError
from slo.freeze import DEFAULT_POLICY, Policy
from slo.hints_target import Hinted
from slo.live_hub import SHARED_MAX, STREAMS_MAX, Hub
from slo.lookback import Lookback
from slo.panel_about import about
from slo.panel_desk import QUERY_S_MAX, PanelDesk
from slo.panel_facts import Facts, SharedAnswers
from slo.panel_hints import suggested
from slo.panel_past import Documents
from slo.problem import ProblemCode, problem
from slo.rules.rule import RuleId
from slo.rules.rule import Settings as RuleSettings
from telemetry import guard
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.handed import handed, secret
from telemetry.store import Store

CONNECTIONS_MAX = 4 * STREAMS_MAX + WAITING_MAX
"""Open connections: a tab with a stream asks over a few others, and whoever scales waits for news of a hint."""
FACTS_KEPT_S = 1.0
"""How long what was asked of the store is not asked again: who looks, and any panel."""
SWITCH_S = 0.0005
"""How long a thread goes on while another one waits; Python's own 5 ms is more than a whole answer takes."""
USAGE = 2
UNREACHABLE = 5
_PAGE_BYTES = 32 << 20
_PAGE_S = 10.0
_OK = 200
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
        hints: What is followed for scaling hints; empty if nothing is.
        hints_file: Where that stands, to be read again; empty if it stands in no file.
        hints_usual: What holds there where a target says nothing.
        faces: Where hints are told beside the API.
        grafana_url: Where Grafana is that has our dashboards; empty if there is none.
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
    hints: tuple[Hinted, ...] = ()
    hints_file: str = ""
    hints_usual: Defaults = field(default_factory=Defaults)
    faces: Faces = field(default_factory=Faces)
    grafana_url: str = ""

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
        looking = panel_reader(config)
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
        hints = _hints(config, control, (reader, writer), log)
    except (InferometerError, SloError, OSError) as error:
        log("cannot serve", reason=str(error))
        return USAGE
    try:
        listener = socket.create_server((config.host, config.port), family=_family(config.host), backlog=128)
    except OSError as error:
        log("cannot serve", reason=f"{config.host}:{config.port} cannot be taken: {error.strerror}")
        return UNREACHABLE
    with listener:
        try:
            return asyncio.run(_serve(config, control, hints, (reader, looking), listener))
        except UnreachableError as error:
            log("cannot serve", reason=str(error))
            return UNREACHABLE


def panel_reader(config: ServeConfig) -> Store:
    """Return who asks for panels: a store that hangs is waited for no longer than one that stops a statement itself.

    Raises:
        OSError: The password cannot be read.
    """
    seconds = round(QUERY_S_MAX) + 1
    return Store(config.store_url, user=config.reader, password=secret(config.reader_password_file), request_s=seconds)


def _hints(config: ServeConfig, control: Control, stores: tuple[Store, Store], log: Log) -> HintControl | None:
    """Return what follows scaling targets; None without any."""
    if not config.hints:
        return None
    reader, writer = stores
    made = HintControl(
        config.hints,
        reader=reader,
        writer=writer,
        ledger=control.ledger,
        log=log,
        view=lambda: control.view,
        frozen=control.desk.frozen,
        read=partial(targets, Path(config.hints_file), config.hints_usual) if config.hints_file else None,
    )
    control.fought, control.slower, control.refused, control.hint = made.fought, made.slower, made.refused, made.clause
    return made


async def _serve(
    config: ServeConfig,
    control: Control,
    hints: HintControl | None,
    stores: tuple[Store, Store],
    listener: socket.socket,
) -> int:
    reader, of_panels = stores
    facts = Facts(of_panels, FACTS_KEPT_S, _monotonic_s)
    hinting = hints.hinting if hints else None
    look, agreed = Lookback(of_panels), control.desk.agreed
    documents = Documents(lambda: control.view, look, control.said, _now_s, agreed, partial(suggested, hinting))
    panels = PanelDesk(PANELS, of_panels, documents, wall_ms, facts, lambda asked: about(control.view, asked))
    hub = Hub(panels, wall_ms, SharedAnswers(FACTS_KEPT_S, _monotonic_s, SHARED_MAX))
    replays = Replays(config.store_url, config.reader, config.reader_password_file)
    parts = Parts(
        engine=control,
        desk=control.desk,
        shared=control.shared,
        lookback=Lookback(reader),
        now_s=_now_s,
        new_id=lambda: uuid4().hex,
        panels=panels,
        hub=hub,
        hints=hints.hinting.published if hints else NoHints(),
        hinting=hinting,
        built_in=lambda: control.built_in.last,
        beyond=replace(beyond(reader, config.channels), replay=replays.replay),
        grafana_url=config.grafana_url,
    )
    hosts = hosts_of(config.host, config.port, config.faces.names)
    app = application(parts, hosts, version("inferometer"), _pages())
    page = HintPage(parts.hints, parts.now_s, alias=config.faces.wva_alias, beside=lambda: burn_gauges(control.view))
    settled()
    control.start()
    if hints:
        hints.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, control, hints)
    try:
        async with Client() as client, keda(config.faces.keda_grpc, parts.hints, parts.now_s):
            _pass_metrics_on(app, client, config.metrics_url, page)
            return await served(
                app,
                listener,
                connections_max=CONNECTIONS_MAX,
                crowded=_crowded,
                leaving=partial(_leave, hub, hints, replays),
            )
    finally:
        if hints:
            await asyncio.to_thread(hints.stop)
        await asyncio.to_thread(control.stop)


def settled() -> None:
    """Let garbage collection pass by all that is there, and threads give way soon to who answers.

    Else every full collection walks through routes and schemas, and nobody is answered for that long; and each step of
    an answer waits while a thread evaluates, for as long as that one may go on.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)


def _reload(control: Control, hints: HintControl | None) -> None:
    """Have every file read again that people change."""
    control.reload()
    if hints:
        hints.reload()


def _leave(hub: Hub, hints: HintControl | None, replays: Replays) -> None:
    """End what never ends by itself, or not soon: streams, questions for news, a replay."""
    hub.close()
    replays.close()
    if hints:
        hints.hinting.published.end()


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    said = problem(ProblemCode.CROWDED, f"{CONNECTIONS_MAX} connections are open already", str(scope["path"]))
    answer = told(said)
    answer.headers["Connection"] = "close"
    await answer(scope, receive, send)


def _pass_metrics_on(app: FastAPI, client: Client, url: str, hints: HintPage) -> None:
    """Let `/metrics` be the observer's page with hints and burn rates on it; 503 while it does not answer."""

    async def metrics(request: Request) -> Response:
        if not url and hints:
            return Response(hints.added(b"", TEXT), media_type=TEXT)
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
        body = page.body if page.status != _OK else hints.added(page.body, page.headers.get("content-type", TEXT))
        return Response(body, page.status, headers=passed)

    app.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)


def _monotonic_s() -> float:
    return monotonic_ns() / 1e9


def _now_s() -> int:
    return wall_ms() // 1000


def _pages() -> Path | None:
    folder = Path(dashboards.__file__).parent / "static"
    return folder if (folder / "index.html").exists() else None


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
