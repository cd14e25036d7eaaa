"""Children kept alive, restarted, stopped in order, and never left behind; real processes throughout."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from inferometer.restarts import CRASHES_MAX
from inferometer.supervisor import Child, Supervisor

SLEEP = ("sleep", "60")
STEP_S = 5.0


class Events:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.told.append((event, fields))

    def named(self, start: str) -> list[dict[str, object]]:
        return [fields for event, fields in self.told if event.startswith(start)]


def pid_of(supervisor: Supervisor, role: str) -> int:
    pid = supervisor.children()[role]["pid"]
    assert isinstance(pid, int)
    return pid


def step_until(supervisor: Supervisor, holds: Callable[[], bool]) -> None:
    for _ in range(100):
        if holds():
            return
        supervisor.step(STEP_S)
    raise AssertionError("100 steps and it still does not hold")


def gone(pid: int, wait_s: float = 20.0) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], wait_s)[0])
    finally:
        os.close(fd)


def test_a_killed_child_is_restarted_and_the_crash_is_told() -> None:
    events, changes = Events(), list[int]()
    with Supervisor([Child(role="a", argv=SLEEP)], log=events, changed=lambda: changes.append(1)) as supervisor:
        supervisor.start()
        first = pid_of(supervisor, "a")
        os.kill(first, signal.SIGKILL)
        step_until(supervisor, lambda: supervisor.children()["a"]["pid"] not in (None, first))

        assert supervisor.children()["a"]["restarts"] == 1
        assert events.named("child ended") == [{"role": "a", "status": "SIGKILL", "wait_s": 0.0}]
        assert len(changes) == 3  # started, ended, started


def test_a_child_that_crashes_again_and_again_is_restarted_calm() -> None:
    events = Events()
    child = Child(role="a", argv=("false",), calm_argv=SLEEP)
    with Supervisor([child], log=events) as supervisor:
        supervisor.start()
        step_until(supervisor, lambda: bool(supervisor.children()["a"]["calm"]))
        step_until(supervisor, lambda: supervisor.children()["a"]["pid"] is not None)

        assert supervisor.children()["a"]["restarts"] == CRASHES_MAX + 1
        assert {str(fields["status"]) for fields in events.named("child ended")} == {"exit 1"}
        assert len(events.named("child crashes again and again")) == 1


def test_a_program_that_cannot_be_started_is_a_crash() -> None:
    events = Events()
    with Supervisor([Child(role="a", argv=("/no/such/program",))], log=events) as supervisor:
        supervisor.start()

        assert supervisor.children()["a"]["pid"] is None
        assert "could not start" in str(events.named("child ended")[0]["status"])


def test_ranks_are_ended_one_after_another_and_ended_children_stay_ended() -> None:
    events = Events()
    order: list[str] = []
    children = [Child(role="last", argv=SLEEP, stop_rank=1), Child(role="first", argv=SLEEP, stop_rank=0)]

    stopping: list[bool] = []

    def changed() -> None:
        ended = [role for role, child in supervisor.children().items() if child["pid"] is None]
        order.extend(ended if stopping else [])

    supervisor = Supervisor(children, log=events, changed=changed)
    with supervisor:
        supervisor.start()
        pids = [pid_of(supervisor, "first"), pid_of(supervisor, "last")]
        stopping.append(True)
        supervisor.stop()

    assert order == ["first", "last", "first"]
    assert all(gone(pid) for pid in pids)
    assert events.told == []


DEAF = "import os, signal, sys; signal.signal(15, signal.SIG_IGN); os.write(int(sys.argv[1]), b'x'); signal.pause()"


@pytest.mark.parametrize("second_signal", [True, False], ids=["a second signal", "its deadline"])
def test_a_deaf_child_is_killed_after(second_signal: bool) -> None:
    events = Events()
    read_fd, write_fd = os.pipe()
    argv = (sys.executable, "-c", DEAF, str(write_fd))
    child = Child(role="deaf", argv=argv, pass_fds=(write_fd,), stop_s_max=60.0 if second_signal else 0.01)
    with Supervisor([child], log=events) as supervisor:
        supervisor.start()
        os.read(read_fd, 1)
        if second_signal:
            # It comes while the supervisor waits, from a process that nobody has to wait for.
            subprocess.run(["sh", "-c", f"(sleep 0.2; kill -INT {os.getpid()}) &"], check=True)
        supervisor.stop()

    assert [fields["role"] for fields in events.named("child did not end in time")] == ["deaf"]
    os.close(read_fd)
    os.close(write_fd)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ending_signal_ends_the_waiting_and_is_remembered(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Supervisor([Child(role="a", argv=SLEEP)], log=Events()) as supervisor:
        supervisor.start()
        os.kill(os.getpid(), number)
        step_until(supervisor, lambda: supervisor.ended_by is not None)

        assert supervisor.ended_by == number
    assert signal.getsignal(number) is before


ORPHAN = """
from inferometer.supervisor import Child, Supervisor
def told(event, /, **fields): pass
with Supervisor([Child(role="a", argv=("sleep", "60"))], log=told) as supervisor:
    supervisor.start()
    print(supervisor.children()["a"]["pid"], flush=True)
    while True:
        supervisor.step(60.0)
"""


def test_children_end_when_the_supervisor_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True) as supervisor:
        out: Any = supervisor.stdout
        child = int(out.readline())
        supervisor.kill()

        assert gone(child)


def test_a_child_has_its_environment_and_no_stdout_of_ours() -> None:
    script = "import os, sys; sys.exit(7 if os.environ.get('A') == 'b' and 'PATH' not in os.environ else 1)"
    events = Events()
    child = Child(role="a", argv=(sys.executable, "-c", script), env={"A": "b"})
    with Supervisor([child], log=events) as supervisor:
        supervisor.start()
        step_until(supervisor, lambda: bool(events.told))

    assert events.told[0][1]["status"] == "exit 7"
