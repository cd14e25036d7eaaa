"""Knows the processes below another one: who they are, what they used, and how vLLM's core among them is held still.

Source: proc(5) (`children`, `stat`, `statm`); vLLM 0.32.0 utils/system_utils.py (`set_process_title`: the names of its
core and workers begin with `VLLM::`).
"""

import os
import signal
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that these started."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []  # it, or a thread of it, has ended meanwhile
    return children + [further for child in children for further in descendants(child)]


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def vllm_cores(pid: int) -> Sequence[int]:
    """Return vLLM's core and workers below a process."""
    return [one for one in descendants(pid) if _is_core(one)]


@contextmanager
def held_still(pids: Iterable[int]) -> Generator[None]:
    """Stop processes until the block ends."""
    pids = tuple(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # the others go on nevertheless
                os.kill(pid, signal.SIGCONT)


def _is_core(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("VLLM::")
    return False
