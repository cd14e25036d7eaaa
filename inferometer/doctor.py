"""Knows how to look at this machine, the configuration, the store and the engine without changing any of them.

`/metrics` of the engine is never asked for, because reading it is destructive on TensorRT-LLM.

Source: spec/ui.md 1.2 (checks, levels, exit codes) and 1.1 (detection).
"""

import json
import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path

from inferometer import ask, data_directory, engine, plan
from inferometer.address import Address, target_address
from inferometer.config import load, secret
from inferometer.config_schema import Config
from inferometer.config_sources import Flags
from inferometer.data_directory import DataDirectory
from inferometer.defaults import DESCRIPTORS_WANTED, LOOPBACK
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.listen import free_port
from inferometer.reading import source
from telemetry.clock import wall_ms
from telemetry.queries import Question

FREE_BYTES_WANTED = 1 << 30
"""Free space that the store asks for at its start (spec/store.md 8.1)."""
CLOCK_S_MAX = 2
"""Difference above which times of two machines should not be compared; the Date header has whole seconds."""
_PYTHON_WANTED = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        id: Name of the check.
        level: `ok`, `note`, `warn` or `error`.
        finding: What was seen.
        fix: What to do; empty if nothing.
        exit_code: Exit code that it asks for; 0 unless the level is `error`.
    """

    id: str
    level: str
    finding: str
    fix: str = ""
    exit_code: int = 0

    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.level:<5}  {self.id:<14} {self.finding}" + (f" -> {self.fix}" if self.fix else "")


def examine(file: Path | None, flags: Flags) -> list[Finding]:
    """Run every check that the configuration allows."""
    try:
        config = load(file, flags=flags)
    except ConfigurationError as error:
        return [*_host(), _error("config.valid", error, "correct that line")]
    data = data_directory.resolve(config.data)
    found = [*_host(), Finding(id="config.valid", level="ok", finding="the configuration is valid")]
    return [*found, *_directory(data), *_ports(config, data), _store(config, data), *_target(config)]


def tell(findings: list[Finding], output: str) -> int:
    """Print the findings and return the exit code: 2 configuration, 5 unreachable, else 0."""
    if output == "json":
        rows = [{name: value for name, value in asdict(one).items() if name != "exit_code"} for one in findings]
        sys.stdout.write(json.dumps(rows) + "\n")
    else:
        sys.stdout.writelines(one.line() + "\n" for one in findings)
    codes = {one.exit_code for one in findings}
    return next((code for code in (2, 5, 1) if code in codes), 0)


def _error(name: str, error: InferometerError, fix: str = "") -> Finding:
    return Finding(id=name, level="error", finding=str(error), fix=fix, exit_code=error.exit_code)


def _host() -> Iterator[Finding]:
    version = platform.python_version()
    good = sys.version_info[:2] >= _PYTHON_WANTED and sys.platform == "linux"
    yield Finding(
        id="host.python",
        level="ok" if good else "warn",
        finding=f"Python {version} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        fix="" if good else "run it on Linux with Python 3.11 or newer",
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS_WANTED
    yield Finding(
        id="host.limits",
        level="ok" if enough else "warn",
        finding=f"{'unlimited' if hard == resource.RLIM_INFINITY else hard} file descriptors allowed",
        fix="" if enough else f"LimitNOFILE={DESCRIPTORS_WANTED}, else a tee takes fewer connections",
    )


def _directory(data: DataDirectory) -> Iterator[Finding]:
    owner = data_directory.owner_of(data)
    if owner:
        yield Finding(id="data.owner", level="ok", finding=f"{data.root} is in use by process {owner.get('pid')}")
    else:
        try:
            data_directory.refuse_unusable(data)
            yield Finding(id="data.owner", level="ok", finding=f"{data.root} can be written and nobody owns it")
        except InferometerError as error:
            yield _error("data.owner", error)
            return
    there = next(path for path in (data.root, *data.root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    enough = free >= FREE_BYTES_WANTED
    yield Finding(
        id="spool.disk",
        level="ok" if enough else "warn",
        finding=f"{free / 1e9:.1f} GB free",
        fix="" if enough else f"the store needs {FREE_BYTES_WANTED / 1e9:.1f} GB to start",
    )


def _ports(config: Config, data: DataDirectory) -> Iterator[Finding]:
    if data_directory.owner_of(data):
        yield Finding(id="net.ports", level="ok", finding="taken by the supervisor that runs on this data directory")
        return
    wanted = [("tee.port", config.tee.bind, config.tee.port), ("serve.port", config.serve.bind, config.serve.port)]
    for key, host, port in [*wanted, ("store.port", LOOPBACK, config.store.port)]:
        try:
            free_port(Address(host=host, port=port), key)
            yield Finding(id="net.ports", level="ok", finding=f"{key} {port} is free")
        except InferometerError as error:
            yield Finding(id="net.ports", level="warn", finding=str(error))


def _store(config: Config, data: DataDirectory) -> Finding:
    if config.store.url is None and not data_directory.holder_of(data.store_lock):
        return _no_store()
    try:
        where = source(config)
        version = where.rows(Question(sql="SELECT version() AS version", seconds_max=2.0))[0]["version"]
    except InferometerError as error:
        return _error("store.reach", error, "start it, or correct store.url")
    return Finding(id="store.reach", level="ok", finding=f"{where.url} answers, ClickHouse {version}")


def _no_store() -> Finding:
    if find_spec("chdb") is None:
        fault = ConfigurationError("neither store.url nor the embedded store's library")
        return _error("store.reach", fault, "set store.url, or install inferometer[embedded]")
    return Finding(id="store.reach", level="note", finding="no store runs yet", fix="inferometer up --target URL")


def _target(config: Config) -> Iterator[Finding]:
    if config.target.url is None:
        yield Finding(id="target.reach", level="note", finding="no target given", fix="--target http://HOST:PORT")
        return
    address = target_address(config.target.url)
    found = plan.asked(address, secret(config.target.api_key, config.target.api_key_file, "target.api_key"))
    if found is None:
        fault = UnreachableError(f"nobody answers at {config.target.url}")
        yield _error("target.reach", fault, "start the engine, or correct target.url")
        return
    yield _reached(config.target.url, found)
    yield _recognised(found)
    yield _clock(address)


def _reached(url: str, found: engine.Engine) -> Finding:
    if found.healthy is False:
        fault = UnreachableError(f"{url} answers, but /health says it is not well")
        return _error("target.reach", fault, "look into the engine's log")
    how = "no /health" if found.healthy is None else "/health is 200"
    return Finding(id="target.reach", level="ok", finding=f"{url} answers, {how}")


def _recognised(found: engine.Engine) -> Finding:
    if found.guarded:
        fix = "needs target.api_key_file to list the models; the tee itself needs no key"
        return Finding(id="target.engine", level="warn", finding="/v1/models asks for a key", fix=fix)
    models = ", ".join(found.models[:4]) or "none listed"
    what = f"{found.name} {found.version}".strip()
    return Finding(id="target.engine", level="ok", finding=f"{what} ({found.evidence}), models: {models}")


def _clock(address: Address) -> Finding:
    try:
        date = ask.get(address, "/health").headers["date"]
        off_s = wall_ms() / 1000 - parsedate_to_datetime(date).timestamp()
    except (OSError, KeyError, ValueError):
        return Finding(id="clock.sync", level="note", finding="the engine does not tell its time")
    level = "ok" if abs(off_s) <= CLOCK_S_MAX else "warn"
    fix = "" if level == "ok" else "set both clocks by NTP; durations are right all the same"
    return Finding(id="clock.sync", level=level, finding=f"off the engine's clock by {abs(off_s):.0f} s", fix=fix)
