"""Knows which processes watch an engine and how they are wired; refuses to know what flows between them.

The supervisor holds the listening socket of the tee and
both ends of every channel, so that a crash of a tee or of the observer loses neither.

Source: spec/reliability.md 4.1; spec/ui.md 1 (first run); design.md (exit codes).
"""

import contextlib
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr

from collector import channel
from inferometer import ask, data_directory, engine, hints_faces, hints_keys, policy_keys, rule_keys, store_secrets
from inferometer.address import Address
from inferometer.config import secret
from inferometer.defaults import DESCRIPTORS_WANTED, EXIT_INTERRUPTED
from inferometer.plan import Plan, iso
from inferometer.supervisor import Child, Log, Supervisor
from telemetry.clock import monotonic_ns, wall_ms

READY_S_MAX = 30.0
"""Longest time that the start waits before it says what is not ready yet; nothing is stopped for it."""
_TICK_S = 0.1
_IDLE_S = 5.0
_GRACE_S = 15.0
"""Beyond its own deadline, what a child may take to end."""


def run(plan: Plan, log: Log, *, output_json: bool = False) -> int:
    """Start everything, keep it alive until a signal comes, end it in order.

    Args:
        plan: What to run.
        log: Where events are told.
        output_json: Print one JSON object on stdout when ready.

    Returns:
        The exit code: 130 after SIGINT, else 0.
    """
    _raise_descriptor_limit(log)
    if plan.store:
        store_secrets.ensure(plan.data.root)  # now, so that observer and store find the same ones
    else:
        _make_tables(plan, log)
    started_ms = wall_ms()
    with contextlib.ExitStack() as held:
        pairs = [channel.pair() for _ in range(plan.config.tee.workers)]
        for end in (end for pair in pairs for end in pair):
            held.callback(end.close)
        status = _Status(plan, log, started_ms)
        supervisor = Supervisor(children(plan, pairs), log=log, changed=lambda: status.write(supervisor))
        with supervisor:
            supervisor.start()
            _until_ready(plan, supervisor, log)
            status.ready(supervisor)
            if supervisor.ended_by is None:
                announce(plan, log, output_json=output_json)
            while supervisor.ended_by is None:
                supervisor.step(_IDLE_S)
            log("stopping: the tee finishes its streams first", signal=signal.Signals(supervisor.ended_by).name)
    plan.data.status.unlink(missing_ok=True)
    return EXIT_INTERRUPTED if supervisor.ended_by == signal.SIGINT else 0


def children(plan: Plan, pairs: list[tuple[socket.socket, socket.socket]]) -> list[Child]:
    """Return what runs: tees stop first, then observer, prober and SLO engine, the store last."""
    tees = [_tee(plan, number, write_end) for number, (_, write_end) in enumerate(pairs)]
    return [*tees, _observer(plan, [read_end for read_end, _ in pairs]), *_prober(plan), *_serve(plan), *_store(plan)]


def observer_config(plan: Plan, channel_fds: list[int]) -> dict[str, object]:
    """Return the fields of `collector.observer.ObserverConfig`."""
    target, socket_path = plan.config.target, plan.config.tee.plugin_socket
    return {
        "endpoint": plan.endpoint,
        "region": target.region,
        "workload_class": target.workload_class,
        "variant": target.variant,
        "engine": target.engine,
        "target": str(plan.target),
        "models": list(_models(plan)),
        "workflow_header": target.workflow_header,
        "workflow_key_file": _flow_key(plan),
        "class_header": target.class_header,
        "channel_fds": channel_fds,
        "plugin_socket": str(Path(socket_path).expanduser().absolute()) if socket_path else "",
        "spool_dir": str(plan.data.spool / plan.node),
        "spool_bytes_max": plan.config.spool.bytes_max,
        "node": plan.node,
        **_store_fields(plan),
        "metrics_host": plan.observer.host,
        "metrics_port": plan.observer.port,
    }


def prober_config(plan: Plan) -> dict[str, object]:
    """Return the fields of `inferometer.prober.ProberConfig`."""
    asked, key = plan.config.probe, plan.config.target
    return {
        "node": plan.node,
        "endpoint": plan.endpoint,
        "target": plan.target.url,
        "replicas": list(plan.config.target.replicas),
        "models": list(_models(plan)),
        "api_key_file": _secret_file(plan, "api_key", key.api_key, key.api_key_file),
        "engine_interval_s": asked.engine_interval_s,
        "gpu": asked.gpu,
        "gpu_interval_s": asked.gpu_interval_s,
        "probe_file": _absolute(asked.file),
        "spool_dir": str(plan.data.spool / f"{plan.node}-probes"),
        "spool_bytes_max": plan.config.spool.bytes_max,
        **_store_fields(plan),
    }


def serve_config(plan: Plan) -> dict[str, object]:
    """Return the fields of `inferometer.serve.ServeConfig`."""
    keys, fields = plan.config.slo, _store_fields(plan)
    reader = str(store_secrets.secret_path(plan.data.root, "reader")) if plan.store else fields["store_password_file"]
    return {
        "host": plan.metrics.host,
        "port": plan.metrics.port,
        "objectives": [_absolute(path) for path in keys.objectives],
        "channels": _absolute(keys.channels),
        "ledger": str(plan.data.ledger),
        "lease": _absolute(keys.lease),
        "blind_policy": keys.blind_policy,
        "replica": plan.node,
        "metrics_url": f"{plan.observer.url}/metrics",
        "store_url": plan.store_url,
        "reader": "reader" if plan.store else plan.config.store.user,
        "reader_password_file": reader,
        "writer": fields["store_user"],
        "writer_password_file": fields["store_password_file"],
        "rules": rule_keys.told(keys.rules),
        "policy": policy_keys.told(keys.policy),
        "hints": hints_keys.told(hints_keys.targets(plan.config.hints, plan.endpoint)),
        "hints_file": _absolute(plan.config.hints.targets),
        "hints_usual": asdict(plan.config.hints.usual),
        "faces": hints_faces.told(plan.config.serve),
    }


def announce(plan: Plan, log: Log, *, output_json: bool) -> None:
    """Say where to point clients and where to look."""
    found = plan.engine
    name = engine.name(found) if found else None
    if found is None:
        log("the engine does not answer yet; clients get errors until it does", target=plan.target.url)
    said = {
        "ui": f"{plan.metrics.url}/ui/" if plan.serves else None,
        "tee": plan.tee.url,
        "target": plan.target.url,
        "endpoint": plan.endpoint,
        "store": plan.store_url,
        "metrics": f"{plan.metrics.url}/metrics",
        "data": str(plan.data.root),
        "engine": {"name": name, "version": found.version, "evidence": [found.evidence]} if found else None,
    }
    if output_json:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    if sys.stderr.isatty():
        sys.stderr.write(_banner(plan))
    else:
        log("ready", **{**said, "engine": name})


def _banner(plan: Plan) -> str:
    found = plan.engine
    what = f"{engine.name(found)} {found.version}".strip() if found else "no answer yet"
    flag = f" --data {plan.data.root}"
    pages = f"  open              {plan.metrics.url}/ui/\n" if plan.serves else ""
    return (
        f"\ninferometer watches {plan.target.url} ({what}) as endpoint {plan.endpoint!r}\n\n"
        f"  point clients at  base_url={plan.tee.url}/v1\n"
        f"{pages}"
        f"  look              inferometer report{flag}\n"
        f"                    inferometer top{flag}\n"
        f"  metrics           {plan.metrics.url}/metrics\n"
        f"  rows              {plan.store_url}\n"
        f"  data directory    {plan.data.root}\n"
        f"  stop              Ctrl-C\n\n"
    )


def _tee(plan: Plan, number: int, write_end: socket.socket) -> Child:
    listen_fd, channel_fd = plan.listener.fileno(), write_end.fileno()
    drain_s = plan.config.tee.drain_s_max
    argv = (
        *(sys.executable, "-m", "collector.tee", "--listen-fd", str(listen_fd), "--target", str(plan.target)),
        *("--drain-s-max", str(drain_s)),
    )
    return Child(
        role=f"tee-{number}",
        argv=(*argv, "--channel-fd", str(channel_fd)),
        calm_argv=argv,
        pass_fds=(listen_fd, channel_fd),
        stop_rank=0,
        stop_s_max=drain_s + _GRACE_S,
    )


def _observer(plan: Plan, read_ends: list[socket.socket]) -> Child:
    fds = [end.fileno() for end in read_ends]
    config = json.dumps(observer_config(plan, fds))
    argv = (sys.executable, "-m", "collector.observer", "--config", config)
    return Child(role="observer", argv=argv, pass_fds=tuple(fds), stop_rank=1, stop_s_max=_GRACE_S)


def _store(plan: Plan) -> list[Child]:
    if plan.store is None:
        return []
    where = ("--data", str(plan.data.root), "--host", plan.store.host, "--port", str(plan.store.port))
    days = ("--days", plan.config.store.retention.model_dump_json(exclude_defaults=True))
    argv = (sys.executable, "-m", "inferometer.store_server", *where, *days)
    return [Child(role="store", argv=argv, stop_rank=2, stop_s_max=_GRACE_S)]


def _prober(plan: Plan) -> list[Child]:
    asked = plan.config.probe
    if not asked.engine_interval_s and asked.gpu == "never" and not asked.file:
        return []
    argv = (sys.executable, "-m", "inferometer.prober", "--config", json.dumps(prober_config(plan)))
    return [Child(role="prober", argv=argv, stop_rank=1, stop_s_max=_GRACE_S)]


def _serve(plan: Plan) -> list[Child]:
    if not plan.serves:
        return []
    argv = (sys.executable, "-m", "inferometer.serve", "--config", json.dumps(serve_config(plan)))
    return [Child(role="serve", argv=argv, stop_rank=1, stop_s_max=2 * _GRACE_S)]


def _absolute(path: str | None) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def _flow_key(plan: Plan) -> str:
    """Return the file of the key by which workflows are told apart; empty if no header names them."""
    keys = plan.config.target
    if not keys.workflow_header:
        return ""
    return _absolute(keys.workflow_key_file) or str(store_secrets.flow_key(plan.data.root))


def _models(plan: Plan) -> tuple[str, ...]:
    return plan.config.target.models or (plan.engine.models if plan.engine else ())


def _store_fields(plan: Plan) -> dict[str, object]:
    keys = plan.config.store
    if plan.store:
        secret_file = str(store_secrets.secret_path(plan.data.root, "writer"))
    else:
        secret_file = _secret_file(plan, "store_password", keys.password, keys.password_file)
    return {
        "store_url": plan.store_url,
        "store_user": "writer" if plan.store else keys.user,
        "store_password_file": secret_file,
    }


def _secret_file(plan: Plan, name: str, value: SecretStr | None, file: str | None) -> str:
    """Return the file that a child reads a secret from, empty for none; never an argument or a variable."""
    if file or not value:
        return _absolute(file)
    path = plan.data.secrets / name
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(value.get_secret_value())
    return str(path)


def _make_tables(plan: Plan, log: Log) -> None:
    from inferometer.server import make_tables  # noqa: PLC0415  # the store client takes 0.3 s to import

    keys = plan.config.store
    make_tables(plan.store_url, keys.user, secret(keys.password, keys.password_file, "store.password"), log)


def _raise_descriptor_limit(log: Log) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < DESCRIPTORS_WANTED:
        log("few file descriptors; a tee then takes fewer connections", reason=f"{wanted} of {DESCRIPTORS_WANTED}")


def _until_ready(plan: Plan, supervisor: Supervisor, log: Log) -> None:
    """Wait for the parts that answer; the tee needs no waiting, the kernel takes its connections already."""
    until_ns = monotonic_ns() + round(READY_S_MAX * 1e9)
    waiting = {"observer": (plan.observer, "/metrics")} | ({"store": (plan.store, "/ping")} if plan.store else {})
    if plan.serves:
        waiting["serve"] = (plan.metrics, "/v1/slos")
    if plan.store:
        log("loading the embedded store")
    while waiting and supervisor.ended_by is None and monotonic_ns() < until_ns:
        supervisor.step(_TICK_S)
        waiting = {role: asking for role, asking in waiting.items() if not _answers(*asking)}
    for role in waiting if supervisor.ended_by is None else ():
        log("not ready yet, going on without it", role=role)


def _answers(address: Address, path: str) -> bool:
    try:
        return ask.get(address, path, wait_s=1.0).status == 200  # noqa: PLR2004  # HTTP OK
    except OSError:
        return False


class _Status:
    """The status file of a running supervisor."""

    def __init__(self, plan: Plan, log: Log, started_ms: int) -> None:
        self._plan, self._log = plan, log
        self._fixed: dict[str, object] = {
            "pid": os.getpid(),
            "started_at": iso(started_ms),
            "started_unix_ms": started_ms,
            "target": plan.target.url,
            "endpoint": plan.endpoint,
            "ports": {
                "tee": plan.tee.port,
                "serve": plan.metrics.port,
                "store": plan.store.port if plan.store else None,
            },
            "metrics": plan.metrics.url,
            "store_url": plan.store_url,
        }
        self._ready = False

    def ready(self, supervisor: Supervisor) -> None:
        """Note that everything answers."""
        self._ready = True
        self.write(supervisor)

    def write(self, supervisor: Supervisor) -> None:
        """Write what runs now."""
        now_ms = wall_ms()
        told = {role: dict(child) for role, child in supervisor.children().items()}
        for child in told.values():
            age_s = child.pop("age_s")
            child["started_at"] = iso(now_ms - round(age_s * 1000)) if isinstance(age_s, float) else None
        try:
            data_directory.write_status(self._plan.data, {**self._fixed, "ready": self._ready, "children": told})
        except OSError as error:  # a full disk must not end the supervisor, on which user traffic hangs
            self._log("the status file cannot be written", reason=error.strerror)
