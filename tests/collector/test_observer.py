import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Thread

import httpx
import pytest
from plugin_requests import datagram, finished

from collector import observer as module
from collector.channel import Reader, pair
from collector.connection import Endpoint
from collector.exposition import Vitals
from collector.frames import Kind, encode
from collector.labels import Labels
from collector.observer import UNREACHABLE, USAGE, Observer, ObserverConfig, main, run
from collector.rows import Dimensions, Rows
from telemetry.clock import WallAnchor, monotonic_ns, sleep, wall_ms
from telemetry.delivery import Delivery
from telemetry.handed import handed
from telemetry.samples import ClockEvent
from telemetry.spool import Spool
from telemetry.testing.memory_store import MemoryStore

GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def exchange(conn: int) -> bytes:
    """Return one message: a connection with one request and its answer."""
    at_ns = monotonic_ns()
    return (
        encode(Kind.ACCEPTED, conn, at_ns, b"c:1")
        + encode(Kind.CONNECTED, conn, at_ns, b"10.0.0.1:8000")
        + encode(Kind.REQUEST_BYTES, conn, at_ns, GET)
        + encode(Kind.RESPONSE_BYTES, conn, at_ns + 1_000_000, OK)
        + encode(Kind.CLOSED, conn, at_ns + 2_000_000)
    )


def endpoint() -> Endpoint:
    rows = Rows(Dimensions(endpoint="e"), Labels(), random=Random(1), anchor=WallAnchor.now())  # noqa: S311 -- seeded
    return Endpoint(rows)


def config(tmp_path: Path, **changed: object) -> str:
    plain: dict[str, object] = {"endpoint": "e", "spool_dir": str(tmp_path / "spool" / "own"), "node": "n"}
    return json.dumps({**plain, "metrics_port": 0, **changed})


def test_records_of_all_channels_reach_the_store_once_every_writer_is_gone(tmp_path: Path) -> None:
    store, vitals, made = MemoryStore(), Vitals(), endpoint()
    (first, first_writer), (second, second_writer) = pair(), pair()
    wake, told = socket.socketpair()
    with first, second, wake, told:
        for conn in range(1, 101):
            first_writer.send(exchange(conn))
            second_writer.send(exchange(conn))
        second_writer.send(b"no frame")
        first_writer.close()
        second_writer.close()
        delivery = Delivery(tmp_path / "own", node="n", sink=store)
        Observer(made, [Reader(first), Reader(second)], delivery, vitals).run(wake)

    assert delivery.close(10) == 0
    assert len(store.rows) == len({record.record_id for _, _, record in store.rows}) == 200
    assert {record.outcome for _, _, record in store.rows} == {"ok"}
    assert vitals.malformed_messages == 1
    assert made.counts.recorded == 200


def test_what_waits_in_the_channel_is_taken_when_told_to_stop(tmp_path: Path) -> None:
    made = endpoint()
    reader, writer = pair()
    wake, told = socket.socketpair()
    with reader, writer, wake, told:
        told.send(b"\x0f")
        for conn in range(1, 201):
            writer.send(exchange(conn))
        delivery = Delivery(tmp_path / "own", node="n", sink=None)
        Observer(made, [Reader(reader)], delivery, Vitals()).run(wake)

    assert delivery.close(10) == made.counts.recorded == 200


@pytest.mark.parametrize(
    ("behind_ms", "steps"),
    [
        pytest.param(3_600_000, [3_600], id="forward"),
        pytest.param(-3_600_000, [-3_600], id="back"),
        pytest.param(0, [], id="no step"),
    ],
)
def test_a_step_of_the_wall_clock_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind_ms: int, steps: list[int]
) -> None:
    """The observer began when the clock was an hour off, and looks at it all the time."""
    monkeypatch.setattr(module, "_CLOCK_NS", 0)
    now, store, vitals = WallAnchor.now(), MemoryStore(), Vitals()
    anchor = WallAnchor(unix_ms=now.unix_ms - behind_ms, at_ns=now.at_ns)
    made = Endpoint(Rows(Dimensions(endpoint="e"), Labels(), random=Random(1), anchor=anchor))  # noqa: S311 -- seeded
    (reader, writer), (wake, told) = pair(), socket.socketpair()
    delivery = Delivery(tmp_path / "own", node="n", sink=store)
    with reader, wake, told:
        observer = Thread(target=Observer(made, [Reader(reader)], delivery, vitals).run, args=(wake,))
        observer.start()
        for conn in range(1, 20):
            writer.send(exchange(conn))
            sleep(0.01)
        writer.close()
        observer.join()
    delivery.close(10)
    found = [one for one in store.samples if isinstance(one, ClockEvent)]

    assert [round(one.step_us / 1e6) for one in found] == steps
    assert [one.wall_after - one.wall_before for one in found] == pytest.approx(
        [1_000 * step for step in steps], abs=50
    )
    assert {one.collector for one in found} <= {delivery.collector}
    assert vitals.clock_steps == len(steps)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], socket.socket]]]:
    """Start observer processes; none outlives the test."""
    processes: list[tuple[subprocess.Popen[str], socket.socket]] = []

    def started(**changed: object) -> tuple[subprocess.Popen[str], socket.socket]:
        reader, writer = pair()
        with reader:
            text = config(tmp_path, channel_fds=[reader.fileno()], **changed)
            command = [sys.executable, "-m", "collector.observer", "--config", text]
            process = subprocess.Popen(command, pass_fds=[reader.fileno()], stderr=subprocess.PIPE, text=True)
        processes.append((process, writer))
        return processes[-1]

    yield started
    for process, writer in processes:
        process.kill()
        process.communicate()
        writer.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def page_with(port: int, wanted: str) -> str:
    """Read `/metrics` until it holds a line; the pytest time limit bounds it."""
    page = ""
    while wanted not in page:
        sleep(0.02)
        with suppress(httpx.ConnectError):
            page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    return page


def test_a_process_serves_its_counts_survives_a_kill_and_stops_when_told(
    start: Callable[..., tuple[subprocess.Popen[str], socket.socket]], tmp_path: Path
) -> None:
    port = free_port()
    killed, writer = start(metrics_port=port)
    for conn in range(1, 51):
        writer.send(exchange(conn))
    page_with(port, 'inferometer_records_total{lane="requests",state="accepted"} 50.0')
    killed.kill()
    killed.wait()
    process, writer = start(metrics_port=port, memory_bytes_max=4 << 30)
    writer.send(exchange(1))
    page_with(port, "inferometer_requests_begun_total 1.0")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)

    assert process.wait() == 0
    assert "1 requests recorded" in (process.stderr.read() if process.stderr else "")
    left = Spool(tmp_path / "spool" / "own", node="n")
    left.recover()
    assert left.counters()["requests"].spooled == 51
    left.close()


def test_a_process_ends_when_no_writer_is_left(
    start: Callable[..., tuple[subprocess.Popen[str], socket.socket]],
) -> None:
    process, writer = start()
    writer.send(exchange(1))
    writer.close()

    assert process.wait() == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"endpoint": 5}, "$.endpoint", id="a value of the wrong type"),
        pytest.param({"endpont": "x"}, "endpont", id="an unknown key"),
        pytest.param({"channel_fds": "3"}, "$.channel_fds", id="descriptors that are no list"),
    ],
)
def test_a_configuration_that_is_not_valid_names_the_key(
    tmp_path: Path, changed: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words.replace("$", r"\$")):
        handed(config(tmp_path, **changed), ObserverConfig)


def test_a_configuration_is_read_whole(tmp_path: Path) -> None:
    read = handed(config(tmp_path, models=["a", "b"], channel_fds=[3, 4], variant="canary"), ObserverConfig)

    assert read == ObserverConfig(
        endpoint="e",
        spool_dir=str(tmp_path / "spool" / "own"),
        node="n",
        models=("a", "b"),
        channel_fds=(3, 4),
        variant="canary",
        metrics_port=0,
    )


def test_an_unreadable_command_line_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["observer", "--config", "{}"])

    assert main() == USAGE
    assert capsys.readouterr().err.startswith("observer: --config: Object missing required field")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"channel_fds": [999_999]}, "Bad file descriptor", id="a descriptor that is not open"),
        pytest.param({"store_url": "ftp://x"}, "ftp://x", id="a store that is not HTTP"),
        pytest.param({"store_url": "http://x", "store_password_file": "/no/such"}, "/no/such", id="no password file"),
        pytest.param({"workflow_key_file": "/no/key"}, "/no/key", id="no key of workflows"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, object], words: str
) -> None:
    assert run(handed(config(tmp_path, **changed), ObserverConfig)) == USAGE
    assert words in capsys.readouterr().err
    assert not (tmp_path / "spool").exists()


def test_a_taken_metrics_port_is_refused_before_anything_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert run(handed(config(tmp_path, metrics_port=port), ObserverConfig)) == UNREACHABLE
    assert f"127.0.0.1:{port} cannot be taken" in capsys.readouterr().err
    assert not (tmp_path / "spool").exists()


def test_a_spool_that_another_owns_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    owner = Spool(tmp_path / "spool" / "own", node="n")

    assert run(handed(config(tmp_path), ObserverConfig)) == UNREACHABLE
    assert str(os.getpid()) in capsys.readouterr().err
    owner.close()


def test_what_the_plugin_says_reaches_the_spool_as_rows_of_their_own(
    start: Callable[..., tuple[subprocess.Popen[str], socket.socket]], tmp_path: Path
) -> None:
    port, path = free_port(), tmp_path / "plugin.sock"
    process, writer = start(metrics_port=port, plugin_socket=str(path))
    writer.send(exchange(1))
    page_with(port, "inferometer_requests_begun_total 1.0")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plugin:
        for said in (datagram(finished(), finished(1), dropped=4, at_ms=wall_ms()), b"noise"):
            plugin.sendto(said, str(path))
        page_with(port, "inferometer_plugin_datagrams_malformed_total 1.0")
        page = page_with(port, 'inferometer_records_total{lane="requests",state="accepted"} 3.0')
        plugin.sendto(datagram(finished(2), at_ms=wall_ms()), str(path))  # the last word is heard, too
        process.terminate()

    assert process.wait() == 0
    assert 'inferometer_plugin_rows_total{fate="taken"} 2.0' in page
    assert 'inferometer_plugin_rows_total{fate="lost"} 4.0' in page
    assert "1 requests recorded, 4 records wait" in (process.stderr.read() if process.stderr else "")
    assert not path.exists()


def test_a_plugin_socket_that_cannot_be_taken_costs_only_the_plugin(
    start: Callable[..., tuple[subprocess.Popen[str], socket.socket]], tmp_path: Path
) -> None:
    port = free_port()
    process, writer = start(metrics_port=port, plugin_socket=str(tmp_path / "no" / "such"))
    writer.send(exchange(1))
    page_with(port, "inferometer_requests_begun_total 1.0")
    process.terminate()

    assert process.wait() == 0
    assert "plugin socket" in (process.stderr.read() if process.stderr else "")
