"""Knows the thread that follows scaling targets beside the engine of objectives; refuses to know HTTP.

It looks at the clock every second. A store that does not answer is told once, and when it answers again. A file of
targets that is wrong when it is read again changes nothing, and is told.

Source: spec/scaling.md 1, 3; spec/slo.md 1 (a broken reload keeps the last good set), 16 (`freeze_scale_down`).
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread

from inferometer.errors import ConfigurationError
from inferometer.supervisor import Log
from slo.errors import LedgerError
from slo.freeze import Action
from slo.hints_acts import HintActs
from slo.hints_book import HintBook
from slo.hints_loop import HintLoop, Word
from slo.hints_published import Hinting, Published
from slo.hints_reader import HintReader
from slo.hints_sight import Promise
from slo.hints_starts import HintStarts
from slo.hints_target import Hinted
from slo.hints_word import clause, promise
from slo.ledger import Ledger
from slo.view import EngineView
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.errors import StoreError
from telemetry.store import Store

LOOK_S = 1.0
"""Time between two looks at the clock."""
_STOP_S = 30.0


class HintControl:
    """Scaling targets of one process.

    Attributes:
        hinting: What the routes speak to.

    Args:
        targets: What is followed.
        reader: The store, as who may read.
        writer: The store, as who may insert.
        ledger: The file that survives this process.
        log: Where events are told.
        view: Returns what the engine of objectives saw last.
        frozen: Returns the objectives whose budget asks for an action.
        read: Reads the targets again; None if they stand in no file.
    """

    def __init__(  # noqa: PLR0913 -- one for each thing that it joins
        self,
        targets: Sequence[Hinted],
        *,
        reader: Store,
        writer: Store,
        ledger: Ledger,
        log: Log,
        view: Callable[[], EngineView],
        frozen: Callable[[Action], frozenset[str]],
        read: Callable[[], Sequence[Hinted]] | None = None,
    ) -> None:
        self._log, self._view, self._frozen, self._read = log, view, frozen, read
        book = HintBook(reader, writer, [one.name for one in targets])
        acts = HintActs(ledger, book)
        published = Published(targets, lambda: (_wall_s(), monotonic_ns() / 1e9))
        starts = HintStarts(reader, writer, targets)
        self._loop = HintLoop(
            targets,
            reader=HintReader(reader, targets),
            book=book,
            acts=acts,
            starts=starts,
            ledger=ledger,
            published=published,
            word=Word(promise=self._promise, budget_kept=self._is_kept),
        )
        self.hinting = Hinting(published=published, acts=acts, book=book, starts=starts, habits=self._loop.habits)
        self._said = self._refused = ""
        self._stop, self._reload = Event(), Event()
        self._thread = Thread(target=self._run, name="hints", daemon=True)

    def fought(self) -> Mapping[str, bool]:
        """Return of each target that was seen whether something else scales it, too."""
        return self._loop.fought()

    def slower(self) -> Mapping[str, str]:
        """Return of each target whose starts are known what is to be said of slower ones; empty if nothing is."""
        return self._loop.slower()

    def refused(self) -> str:
        """Return why targets were refused at the last reload; empty if they were not."""
        return self._refused

    def reload(self) -> None:
        """Read the file of targets again, soon; what is wrong changes nothing and is told."""
        self._reload.set()

    def clause(self, endpoints: Sequence[str]) -> str:
        """Return what an alert says of hints; empty if they are to hold, or none is fresh.

        Args:
            endpoints: Of the alert; none means all.
        """
        desk, now_s = self.hinting.published, _wall_s()
        if desk.trouble:
            return ""
        targets = [one for name in desk.names() if (one := desk.hinted(name)) is not None]
        own = [one.name for one in targets if not endpoints or one.endpoint in endpoints]
        return clause(served.hint for name in own if (served := desk.served(name, now_s)) is not None)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was decided is kept."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                if self._reload.is_set():
                    self._reload.clear()
                    self._read_again()
                self._loop.step(_wall_s())
                self._tell("")
            except (StoreError, LedgerError) as error:
                self._tell(str(error))
            except Exception as error:  # noqa: BLE001 -- a thread that dies silently is worse than one that complains
                self._tell(f"{type(error).__name__}: {error}")

    def _read_again(self) -> None:
        if self._read is None:
            return
        try:
            found = self._read()
        except ConfigurationError as error:
            self._refused = str(error)
            self._log("scaling targets are refused, what was read before goes on", reason=self._refused)
            return
        self._loop.follow(found)
        self._refused = ""
        self._log("scaling targets were read again", status=f"{len(found)} targets")

    def _tell(self, trouble: str) -> None:
        """Say what is wrong when that begins or ends."""
        if bool(trouble) != bool(self._said):
            self._log("scaling hints are not made now" if trouble else "scaling hints are made again", reason=trouble)
        self._said = trouble

    def _promise(self, one: Hinted) -> Promise:
        return promise(one, self._view())

    def _is_kept(self, one: Hinted) -> bool:
        return bool(one.slo) and one.slo in self._frozen(Action.FREEZE_SCALE_DOWN)


def _wall_s() -> float:
    return wall_ms() / 1000
