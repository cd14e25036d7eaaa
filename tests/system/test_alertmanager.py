"""A real Alertmanager hears what stands: one notification each, whoever tells it and however often it is killed."""

import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from receiver import Receiver, receiver
from rig import ROOT, answers, binary, free_port, process, wait_until

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.identity import fingerprint
from slo.ledger import Ledger
from telemetry.clock import sleep, wall_ms

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

CHILD = ROOT / "tests/slo/notify_child.py"
ENV = {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/slo"}
QUIET_S = 4.0
"""Long enough for an Alertmanager that groups for a second to say whatever it is going to say."""
CONFIG = """\
route: {{receiver: us, group_by: [alertname, slo], group_wait: 1s, group_interval: 1s, repeat_interval: 4h}}
receivers:
  - name: us
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


TEMPLATE = Path("/usr/share/prometheus/alertmanager/default.tmpl")
"""Debian's Alertmanager does not start without it; it lies elsewhere if the package was unpacked and not installed."""
MOUNTED = 'mount --bind "$1" /usr/share && shift && exec "$@"'


def unpacked(program: str) -> tuple[str, ...]:
    """What goes before a program so that it finds what its package holds."""
    if TEMPLATE.exists():
        return ()
    namespace = ("unshare", "--user", "--map-root-user", "--mount")
    return (*namespace, "sh", "-c", MOUNTED, "sh", str(Path(program).parent.parent / "share"))


def now_s() -> int:
    return wall_ms() // 1000


def alert(name: str, **labels: str) -> Alert:
    """An alert that fires."""
    told = {"alertname": name, "slo": name, "severity": "page", **labels}
    at_s = now_s()
    record = Record(
        fingerprint=fingerprint(told),
        definition_hash=1,
        state=AlertState.FIRING,
        at_s=at_s,
        fired_at_s=at_s - 60,
        occurrence=1,
    )
    return Alert(record=record, labels=told, annotations={"summary": f"{name} burns"})


def over(one: Alert) -> Alert:
    record = replace(one.record, state=AlertState.RESOLVED, resolved_at_s=now_s() - 1)
    return replace(one, record=record)


class Child:
    """A notifier in a process of its own, with a ledger of its own."""

    def __init__(self, ledger: Path, url: str) -> None:
        self._path, self._url = ledger, url
        self._ledger = Ledger(ledger)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        argv = [sys.executable, str(CHILD), str(self._path), "alertmanager", self._url]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENV, cwd=ROOT
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "started\n"
        self._look()

    def stand(self, *alerts: Alert) -> None:
        """As an evaluation does: written down first, then said."""
        self._ledger.save(now_s(), alerts)
        self._look()

    def end(self, *, kill: bool = False) -> None:
        if self._process is not None:
            if kill:
                self._process.kill()
            self._process.communicate(timeout=20)
            self._process = None

    def close(self) -> None:
        self.end()
        self._ledger.close()

    def _look(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()


class Alertmanager:
    """A real one whose only receiver is ours."""

    def __init__(self, url: str, hook: Receiver, folder: Path) -> None:
        self.url, self._hook, self._folder = url, hook, folder
        self._stack = ExitStack()

    def heard(self) -> Counter[tuple[str, str]]:
        """How often each alert was in a notification, by name and status."""
        alerts = [alert for got in self._hook.got for alert in got.body["alerts"]]
        return Counter((alert["labels"]["alertname"], alert["status"]) for alert in alerts)

    def has_heard(self, name: str, status: str = "firing") -> None:
        wait_until(lambda: self.heard()[name, status] > 0, f"{status} of {name}", wait_s=20)

    def notifier(self, name: str) -> Child:
        child = Child(self._folder / f"{name}.sqlite", self.url)
        self._stack.callback(child.close)
        child.start()
        return child

    def amtool(self, *words: str) -> str:
        argv = [binary("amtool"), f"--alertmanager.url={self.url}", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def close(self) -> None:
        self._stack.close()


@contextmanager
def alertmanager(folder: Path) -> Generator[Alertmanager]:
    port = free_port()
    with receiver() as hook:
        (folder / "alertmanager.yml").write_text(CONFIG.format(url=hook.url))
        argv = (
            *unpacked(program := binary("prometheus-alertmanager")),
            program,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",  # one instance, no gossip
        )
        with process(*argv, log=folder / "log", stop_s=10.0):
            running = Alertmanager(f"http://127.0.0.1:{port}", hook, folder)
            wait_until(lambda: answers(f"{running.url}/-/ready"), "Alertmanager", wait_s=20)
            try:
                yield running
            finally:
                running.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path) as running:
        yield running


def test_an_alert_fires_and_resolves_once_though_its_notifier_is_killed_in_between(manager: Alertmanager) -> None:
    one = manager.notifier("one")
    chat = alert("chat")
    one.stand(chat)
    manager.has_heard("chat")
    one.end(kill=True)
    late = alert("late")
    one.stand(late)  # written down while nobody says it
    one.start()
    manager.has_heard("late")
    one.end()
    one.start()
    one.stand(over(chat), over(late))
    manager.has_heard("chat", "resolved")
    manager.has_heard("late", "resolved")
    sleep(QUIET_S)

    assert manager.heard() == {(name, status): 1 for name in ("chat", "late") for status in ("firing", "resolved")}


def test_two_notifiers_at_once_are_heard_as_one(manager: Alertmanager) -> None:
    both = [manager.notifier("one"), manager.notifier("two")]
    chat = alert("chat")
    for one in both:
        one.stand(chat)
    manager.has_heard("chat")
    sleep(QUIET_S)
    ended = over(chat)
    both[0].stand(ended)
    manager.has_heard("chat", "resolved")
    both[1].end(kill=True)
    both[1].stand(ended)
    both[1].start()
    sleep(QUIET_S)

    assert manager.heard() == {("chat", "firing"): 1, ("chat", "resolved"): 1}


def test_a_silence_is_honoured_and_ends_without_a_loss(manager: Alertmanager) -> None:
    silence = manager.amtool("silence", "add", "alertname=chat", "--comment=test", "--author=test", "--duration=1h")
    one = manager.notifier("one")
    one.stand(alert("chat"), alert("batch"))
    manager.has_heard("batch")
    sleep(QUIET_S)
    assert manager.heard() == {("batch", "firing"): 1}
    assert "chat" in manager.amtool("alert", "query", "--silenced")
    manager.amtool("silence", "expire", silence)
    manager.has_heard("chat")

    assert manager.heard() == {("batch", "firing"): 1, ("chat", "firing"): 1}


def test_one_invalid_alert_costs_no_other(manager: Alertmanager) -> None:
    one = manager.notifier("one")
    good = [alert(f"good-{at}") for at in range(4)]
    one.stand(*good[:2], alert("bad", **{"no-label": "by its name"}), *good[2:])
    for each in good:
        manager.has_heard(each.labels["alertname"])
    sleep(QUIET_S)

    assert manager.heard() == {(each.labels["alertname"], "firing"): 1 for each in good}
