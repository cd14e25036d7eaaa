"""The thread that follows targets: it makes hints, and says once that the store is gone."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from inferometer import hints_file
from inferometer.hints_control import HintControl
from inferometer.hints_file import usual_target
from slo.hints_target import Hinted
from slo.ledger import Ledger
from slo.view import EngineView
from telemetry.clock import sleep
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

TRIES = 200


class Log:
    """What was said."""

    def __init__(self) -> None:
        self.said = list[tuple[str, object]]()

    def __call__(self, event: str, **fields: object) -> None:
        self.said.append((event, fields.get("reason", fields.get("status"))))


def control(
    folder: Path, reader: Store, writer: Store, log: Log, read: Callable[[], Sequence[Hinted]] | None = None
) -> HintControl:
    return HintControl(
        [usual_target("hints-control")],
        reader=reader,
        writer=writer,
        ledger=Ledger(folder / "hints.sqlite"),
        log=log,
        view=lambda: EngineView(watched=()),
        frozen=lambda _: frozenset(),
        read=read,
    )


def until(holds: Callable[[], bool]) -> None:
    for _ in range(TRIES):
        if holds():
            return
        sleep(0.05)
    raise AssertionError


def test_it_asks_the_store_until_it_is_stopped(tmp_path: Path, process: StoreProcess) -> None:
    reader, writer, log = process.store("reader"), process.store("writer"), Log()
    running = control(tmp_path, reader, writer, log)
    running.start()
    for _ in range(TRIES):
        if not running.hinting.published.trouble:
            break
        sleep(0.05)
    running.stop()

    assert "" == running.hinting.published.trouble
    assert [] == log.said
    assert ("hints-control",) == running.hinting.published.names()


def test_a_store_that_is_gone_is_told_once(tmp_path: Path) -> None:
    gone, log = Store("http://127.0.0.1:1", request_s=1), Log()
    running = control(tmp_path, gone, gone, log)
    running.start()
    for _ in range(TRIES):
        if log.said:
            break
        sleep(0.05)
    running.stop()

    assert ["scaling hints are not made now"] == [event for event, _ in log.said]
    assert "does not answer" in running.hinting.published.trouble


def test_a_file_of_targets_is_read_again_and_a_broken_one_changes_nothing(
    tmp_path: Path, process: StoreProcess
) -> None:
    file, log = tmp_path / "targets.yaml", Log()
    file.write_text("targets:\n  - {name: first}\n  - {name: second, max_replicas: 7}\n")
    read = partial(hints_file.targets, file)
    running = control(tmp_path, process.store("reader"), process.store("writer"), log, read)
    names = running.hinting.published.names
    running.start()
    running.reload()
    until(lambda: names() == ("first", "second"))
    file.write_text("targets:\n  - {name: third, max_replicas: none}\n")
    running.reload()
    until(lambda: bool(running.refused()))
    refused, kept = running.refused(), names()
    file.write_text("targets:\n  - {name: second}\n  - {name: fourth}\n")
    running.reload()
    until(lambda: not running.refused())
    until(lambda: names() == ("second", "fourth"))
    running.stop()

    assert refused.startswith(f"{file}:2: "), "it names file and line"
    assert "max_replicas" in refused
    assert ("first", "second") == kept
    assert [
        ("scaling targets were read again", "2 targets"),
        ("scaling targets are refused, what was read before goes on", refused),
        ("scaling targets were read again", "2 targets"),
    ] == [one for one in log.said if "targets" in one[0]]


def test_targets_that_stand_in_no_file_stay(tmp_path: Path, process: StoreProcess) -> None:
    running = control(tmp_path, process.store("reader"), process.store("writer"), Log())
    running.reload()
    running.start()
    until(lambda: not running.hinting.published.trouble)
    running.stop()

    assert ("hints-control",) == running.hinting.published.names()
    assert "" == running.refused()
