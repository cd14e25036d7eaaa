import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from inferometer.load_process import EVENTS_VARIABLE, LEAVE_S_MAX, PORT_FIRST, LoadProcess, locust, must_be_installed

HEAD = f"""
import json, os, signal, sys, time
def tell(**event): os.write(int(os.environ["{EVENTS_VARIABLE}"]), json.dumps(event).encode() + b"\\n")
"""


def process(tmp_path: Path, script: str) -> LoadProcess:
    return LoadProcess([sys.executable, "-c", HEAD + script], tmp_path / "log")


def test_what_the_run_tells_is_heard(tmp_path: Path) -> None:
    script = "tell(event='go'); print('words', flush=True); tell(event='end', code=4)"
    with process(tmp_path, script) as running:
        events = list(running.events())

    assert [{"event": "go"}, {"event": "end", "code": 4}] == events
    assert "words" == running.last_words()


def test_a_process_that_dies_ends_the_events(tmp_path: Path) -> None:
    with process(tmp_path, "tell(event='go'); sys.exit('no plan')") as running:
        assert [{"event": "go"}] == list(running.events())
        assert "no plan" == running.last_words()


def interrupt(running: LoadProcess) -> None:
    """Press Ctrl-C, if the run hears it; else it would end the tests."""
    if getattr(signal.getsignal(signal.SIGINT), "__self__", None) is running:
        os.kill(os.getpid(), signal.SIGINT)


def test_the_first_interruption_goes_to_the_run_and_is_no_end(tmp_path: Path) -> None:
    script = "signal.signal(signal.SIGINT, lambda *_: (tell(event='end', code=130), sys.exit(130)))\n"
    script += "tell(event='go'); time.sleep(60)"
    with process(tmp_path, script) as running:
        events: list[str] = []
        for event in running.events():
            events.append(str(event["event"]))
            if event["event"] == "go":
                threading.Timer(0.05, interrupt, (running,)).start()

    assert ["go", "end"] == events
    assert LEAVE_S_MAX > 1


def test_a_run_is_told_that_enough_is_known(tmp_path: Path) -> None:
    script = "signal.signal(signal.SIGUSR1, lambda *_: (tell(event='end', code=0), sys.exit(0)))\n"
    script += "tell(event='go'); time.sleep(60)"
    running = process(tmp_path, script)
    running.settle()  # nothing runs yet
    with running:
        events: list[str] = []
        for event in running.events():
            events.append(str(event["event"]))
            running.settle()

    assert ["go", "end"] == events


def test_an_interruption_before_the_run_can_drain_ends_it(tmp_path: Path) -> None:
    script = "signal.signal(signal.SIGINT, lambda *_: sys.exit(1)); tell(event='importing'); time.sleep(60)"
    events: list[object] = []
    with pytest.raises(KeyboardInterrupt), process(tmp_path, script) as running:  # noqa: PT012 -- raised by the loop
        for event in running.events():
            events.append(event["event"])
            os.kill(os.getpid(), signal.SIGINT)

    assert ["importing"] == events


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_interruption_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    script = "signal.signal(signal.SIGINT, signal.SIG_IGN); tell(event='pid', pid=os.getpid()); time.sleep(60)"
    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt), process(tmp_path, script) as running:  # noqa: PT012 -- raised in the loop
        for event in running.events():
            pids.append(int(event["pid"]))
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)

    assert [False] == [Path(f"/proc/{pid}").exists() for pid in pids]


def test_handlers_of_signals_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with process(tmp_path, "pass") as running:
        assert before != (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
        assert [] == list(running.events())

    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_the_command_serves_this_machine_alone(tmp_path: Path) -> None:
    command = locust(tmp_path / "run.json", 3)

    assert ["127.0.0.1"] * 2 == [command[command.index(flag) + 1] for flag in ("--master-bind-host", "--master-host")]
    assert ["3"] * 3 == [command[command.index(flag) + 1] for flag in ("--processes", "-u", "-r")]
    assert Path(command[command.index("-f") + 1]).is_file()
    must_be_installed()


def test_the_port_of_the_master_is_none_that_a_connection_may_take(tmp_path: Path) -> None:
    ports = [int(locust(tmp_path / "run.json", 1)[-1]) for _ in range(20)]

    first_of_connections = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(PORT_FIRST <= port < first_of_connections for port in ports)
    assert len(set(ports)) > 10
