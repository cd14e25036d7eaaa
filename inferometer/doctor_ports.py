"""Knows which ports we take, whether they are free, and who holds one that is not; refuses to take any.

Source: spec/ui.md 1.2 (net.ports); proc(5): /proc/net/tcp, the `socket:[inode]` of a process's descriptors.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from inferometer import data_directory
from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.defaults import LOOPBACK
from inferometer.doctor_finding import Finding, error, ok, warn
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.listen import free_port, refuse_open_bind

_ID = "net.ports"
_PROC = Path("/proc")
_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def examine(config: Config, data: DataDirectory) -> Iterator[Finding]:
    """Look at the ports of tee, metrics page and embedded store, and at the addresses that they listen on."""
    for key, host in (("tee.bind", config.tee.bind), ("serve.bind", config.serve.bind)):
        try:
            refuse_open_bind(host, key, insecure=False)
        except ConfigurationError as fault:
            yield error(_ID, fault)
    if data_directory.owner_of(data):
        yield ok(_ID, "taken by the supervisor that runs on this data directory")
        return
    wanted = [("tee.port", config.tee.bind, config.tee.port), ("serve.port", config.serve.bind, config.serve.port)]
    for key, host, port in [*wanted, ("store.port", LOOPBACK, config.store.port)]:
        try:
            free_port(Address(host=host, port=port), key)
            yield ok(_ID, f"{key} {port} is free")
        except InferometerError as fault:
            told, _, fix = str(fault).partition("; ")
            held = holder(port)
            yield warn(_ID, f"{told}{f', held by {held}' if held else ''}", fix)


def holder(port: int, proc: Path = _PROC) -> str:
    """Return who listens on a TCP port, as `process 12 (name)`; empty if nobody does or we may not see it."""
    for pid in holders(port, proc):
        with suppress(OSError):  # it has ended
            name = (proc / str(pid) / "comm").read_text(errors="replace")  # any bytes: the kernel cuts at 15
            return f"process {pid} ({name.strip()})"
    return ""


def holders(port: int, proc: Path = _PROC) -> Iterator[int]:
    """Give the processes that listen on a TCP port, as far as we may see them."""
    inodes = set(_listening(port, proc))
    for descriptors in proc.glob("[0-9]*/fd") if inodes else ():
        with suppress(OSError):  # another user's process, or one that has ended
            if any(_inode(link) in inodes for link in descriptors.iterdir()):
                yield int(descriptors.parent.name)


def _listening(port: int, proc: Path) -> Iterator[str]:
    for name in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _inode(link: Path) -> str:
    try:
        found = _SOCKET.fullmatch(str(link.readlink()))
    except OSError:
        return ""
    return found[1] if found else ""
