"""Knows how to start each subject of `benchmarks.tee` on its core, how much it has used, and how to end it.

nginx and HAProxy run in the foreground with a configuration of their own in a temporary directory, one worker or
thread each, upstream keep-alive on, response buffering off. Source: nginx.org/en/docs/http/ngx_http_proxy_module.html
(proxy_buffering), docs.haproxy.org/2.6/configuration.html (nbthread; option http-no-delay, without which HAProxy holds
the pieces of a slow chunked answer back: measured 200 ms per event).
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import descendants, rss_bytes
from benchmarks.sse_load import Load
from collector import channel
from telemetry.clock import monotonic_ns, sleep

OBSERVER = "inferometer and observer"
OURS = "inferometer"
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 10000000; client_body_temp_path {folder}/a;
  proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream engine {{ server 127.0.0.1:{target}; keepalive 1024; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"""
HAPROXY = """
global
  maxconn 4096
  nbthread 1
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend engine
backend engine
  http-reuse always
  server engine 127.0.0.1:{target}
"""
DRAIN = "import socket, sys\nend = socket.socket(fileno=int(sys.argv[1]))\nwhile end.recv(131072): pass"
_START_S = 10.0
_STOP_S = 5.0
_CALM_S_MAX = 2.0
_CALM_NS = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Where things run: the subject alone on its core, everything else on another."""

    subject: int
    rest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where subjects are started: in front of what, on which cores, with which folder for their files."""

    load: Load
    cores: Cores
    folder: Path

    def ready(self, port: int) -> None:
        """Wait until a subject answers through to the source.

        Raises:
            MissingError: It does not.
        """
        deadline_ns = monotonic_ns() + _START_S * 1e9
        while not self.load.answers(port):
            if monotonic_ns() > deadline_ns:
                raise MissingError("did not answer")
            sleep(0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running proxy; `pid` is None for the direct way, `observer` where one reads its frames."""

    name: str
    port: int
    pid: int | None = None
    observer: int | None = None

    def cpu_ns(self) -> int:
        """Return the CPU time of the proxy's processes so far."""
        return 0 if self.pid is None else tree_cpu_ns(self.pid)

    def rss_bytes(self) -> int:
        """Return the resident memory of the proxy's processes; a process that only watches over workers is left out."""
        if self.pid is None:
            return 0
        tree = [self.pid, *descendants(self.pid)]
        return sum(rss_bytes(pid) for pid in tree[1:] or tree)

    def calm_down(self) -> None:
        """Wait until proxy and observer have worked off what they were given, or have had long enough for it."""
        deadline_ns, used_ns = monotonic_ns() + _CALM_S_MAX * 1e9, -1
        while self._all_cpu_ns() - used_ns > _CALM_NS and monotonic_ns() < deadline_ns:
            used_ns = self._all_cpu_ns()
            sleep(0.05)

    def _all_cpu_ns(self) -> int:
        return self.cpu_ns() + (0 if self.observer is None else tree_cpu_ns(self.observer))


class MissingError(Exception):
    """A subject cannot be had here."""


def cores() -> Cores:
    """Pick the first and the last core that this process may use, and move to the last."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[-1]})
    return Cores(subject=allowed[0], rest=allowed[-1])


def tree_cpu_ns(pid: int) -> int:
    """Return the CPU time of a process tree; schedstat's first field is time on the CPU in nanoseconds."""
    tasks = [task for one in (pid, *descendants(pid)) for task in Path(f"/proc/{one}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


@contextmanager
def direct(stage: Stage) -> Generator[Subject]:
    """No proxy at all."""
    yield Subject(name="direct", port=stage.load.port)


@contextmanager
def nginx(stage: Stage) -> Generator[Subject]:
    """Start nginx with one worker."""
    port, config = free_port(), stage.folder / "nginx.conf"
    config.write_text(NGINX.format(folder=stage.folder, port=port, target=stage.load.port))
    command = [_program("nginx"), "-c", str(config), "-e", str(stage.folder / "error.log")]
    with _running(command, stage.cores.subject) as process:
        stage.ready(port)
        yield Subject(name="nginx", port=port, pid=process.pid)


@contextmanager
def haproxy(stage: Stage) -> Generator[Subject]:
    """Start HAProxy with one thread."""
    port, config = free_port(), stage.folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, target=stage.load.port))
    with _running([_program("haproxy"), "-db", "-q", "-f", str(config)], stage.cores.subject) as process:
        stage.ready(port)
        yield Subject(name="haproxy", port=port, pid=process.pid)


@contextmanager
def ours(stage: Stage) -> Generator[Subject]:
    """Start a tee worker whose frames are read and thrown away."""
    with _tee(stage) as (subject, read_end):
        command = [sys.executable, "-c", DRAIN, str(read_end.fileno())]
        with _running(command, stage.cores.rest, read_end.fileno()):
            stage.ready(subject.port)
            yield subject


@contextmanager
def ours_observed(stage: Stage) -> Generator[Subject]:
    """Start a tee worker whose frames go to a real observer, which keeps its records in a spool."""
    with _tee(stage) as (subject, read_end):
        config = {
            "endpoint": "bench",
            "node": "bench",
            "models": ["m"],
            "channel_fds": [read_end.fileno()],
            "spool_dir": str(stage.folder / "spool"),
            "metrics_port": 0,
        }
        command = [sys.executable, "-m", "collector.observer", "--config", json.dumps(config)]
        with _running(command, stage.cores.rest, read_end.fileno()) as observer:
            stage.ready(subject.port)
            yield Subject(name=OBSERVER, port=subject.port, pid=subject.pid, observer=observer.pid)


@contextmanager
def floor(stage: Stage) -> Generator[Subject]:
    """Start the bare relay."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        command = [sys.executable, "-m", "benchmarks.tee_floor", str(listener.fileno()), str(stage.load.port)]
        with _running(command, stage.cores.subject, listener.fileno()) as process:
            stage.ready(listener.getsockname()[1])
            yield Subject(name="bare relay", port=listener.getsockname()[1], pid=process.pid)


@contextmanager
def naive(stage: Stage) -> Generator[Subject]:
    """Start the Starlette proxy."""
    port = free_port()
    with _running(
        [sys.executable, "-m", "benchmarks.tee_naive", str(port), str(stage.load.port)], stage.cores.subject
    ) as process:
        stage.ready(port)
        yield Subject(name="starlette and httpx", port=port, pid=process.pid)


SUBJECTS: dict[str, Callable[[Stage], contextlib.AbstractContextManager[Subject]]] = {
    "direct": direct,
    "nginx": nginx,
    "haproxy": haproxy,
    OURS: ours,
    OBSERVER: ours_observed,
    "bare relay": floor,
    "starlette and httpx": naive,
}


@contextmanager
def _tee(stage: Stage) -> Generator[tuple[Subject, socket.socket]]:
    read_end, write_end = channel.pair()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener, read_end, write_end:
        fds = (listener.fileno(), write_end.fileno())
        command = [sys.executable, "-m", "collector.tee", "--listen-fd", str(fds[0]), "--channel-fd", str(fds[1])]
        command += ["--target", f"127.0.0.1:{stage.load.port}", "--connections-max", "4000", "--drain-s-max", "0"]
        with _running(command, stage.cores.subject, *fds) as process:
            write_end.close()
            yield Subject(name=OURS, port=listener.getsockname()[1], pid=process.pid), read_end


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise MissingError(f"{name} is not installed")
    return path


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _running(command: list[str], core: int, *fds: int) -> Generator[subprocess.Popen[bytes]]:
    """Run a process on a core; a child inherits the core of the moment of its start."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        process = subprocess.Popen(command, pass_fds=fds)
    finally:
        os.sched_setaffinity(0, own)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
