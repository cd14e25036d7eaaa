"""A process that copies a ledger to a store, through a proxy that spoils what a test wants."""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from telemetry import clock
from telemetry.testing.fault_proxy import Fault, FaultProxy
from telemetry.testing.store_process import StoreProcess

HERE = Path(__file__).parent


def once(fault: Fault, table: str) -> Callable[[bytes], Fault]:
    """Spoil the first insert into a table, and nothing else."""
    left = [fault]

    def choice(request: bytes) -> Fault:
        is_meant = b"INSERT" in request and table.encode() in request
        return left.pop() if left and is_meant else Fault.NONE

    return choice


@contextmanager
def proxy(process: StoreProcess, choice: Callable[[bytes], Fault]) -> Generator[FaultProxy]:
    with FaultProxy(("127.0.0.1", process.port), choice) as between:
        yield between


@contextmanager
def child(ledger: Path, url: str, process: StoreProcess, replica: str) -> Generator["subprocess.Popen[str]"]:
    """A process that was told to copy once."""
    secrets = [process.secret(user) for user in ("reader", "writer")]
    argv = [sys.executable, str(HERE / "copy_child.py"), str(ledger), url, *secrets, replica]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin
        running.stdin.write("copy\n")
        running.stdin.flush()
        try:
            yield running
        finally:
            running.kill()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if holds():
            return
        clock.sleep(0.005)
    raise AssertionError
