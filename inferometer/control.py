"""Knows how engine, notifier and desk work together in one process, and what a reload is; refuses to know HTTP.

One thread evaluates: it looks every few seconds whether an instant is due, hands what stands to the notifier, and lets
the desk meet the store. A reload that is refused keeps what ran before and is told as a problem of the engine.

Source: spec/slo.md 1 (a broken reload keeps the last good set), 8 (instants), 11 (notifier).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from inferometer import channel_file, slo_files, slo_transfer
from inferometer.errors import ConfigurationError
from inferometer.supervisor import Log
from slo import low_budget, own_alerts
from slo.adjuster import Adjuster
from slo.alert import Alert
from slo.budget import BlindPolicy
from slo.burn_catalogue import CATALOGUES
from slo.channels import Channel, routed
from slo.definitions import Definition, Definitions
from slo.desk import Desk
from slo.desk_store import DeskStore
from slo.engine import Engine, Reach
from slo.errors import LedgerError
from slo.explain import explainer
from slo.freeze import DEFAULT_POLICY, Policy
from slo.instants import STEP_S
from slo.lease import FileLease
from slo.ledger import Ledger
from slo.notice_log import NoticeLog
from slo.notifier import Notifier
from slo.panel_past import Said
from slo.reader import Reader
from slo.rules.catalogue import rules
from slo.rules.rule import RuleId
from slo.rules.rule import Settings as RuleSettings
from slo.rules.runner import Runner
from slo.rules.services import Services
from slo.view import EngineView
from slo.watch import Watch
from slo.watched import Watched, watched
from telemetry.clock import monotonic_ns, wall_ms
from telemetry.errors import StoreError
from telemetry.store import Store

LOOK_S = 2.0
"""Time between two looks at the clock."""
PRUNE_S = 3_600
FORGOTTEN_S = 30 * 86_400
"""An alert that has been at rest for this long is forgotten."""
_STOP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an engine is made of.

    Attributes:
        objectives: Files and folders of SLOs.
        channels: File of notification channels; None tells nobody.
        ledger: The engine's own file.
        lease: File that replicas share, so that one of them tells direct channels; None if there is no other.
        blind_policy: What the time is in which nobody looked.
        replica: Name of this engine in rows.
        base_url: Where people find our pages.
        look_s: Time between two looks at the clock.
        rules: What was configured of built-in rules.
        policy: What low budgets ask for.
    """

    objectives: tuple[Path, ...]
    channels: Path | None
    ledger: Path
    lease: Path | None = None
    blind_policy: BlindPolicy = BlindPolicy.EXCLUDE
    replica: str
    base_url: str
    look_s: float = LOOK_S
    rules: Mapping[RuleId, RuleSettings] = field(default_factory=dict[RuleId, RuleSettings])
    policy: Policy = DEFAULT_POLICY


def objectives(paths: Sequence[Path], blind_policy: BlindPolicy = BlindPolicy.EXCLUDE) -> list[Watched]:
    """Return the objectives of files and folders, ready to be evaluated.

    Args:
        paths: The files and folders; without any there are built-in rules alone.
        blind_policy: What the time is in which nobody looked.

    Raises:
        ConfigurationError: A file is wrong, or a rule of it can never fire.
    """
    found = slo_files.loaded(paths).objectives
    if paths and not found:
        raise ConfigurationError("slo.objectives: the files hold no objective that is counted here")
    return [watched(replace(one, blind_policy=blind_policy), CATALOGUES[one.catalogue]) for one in found]


class Control:
    """The engine of one process.

    Attributes:
        shared: What people decided, in the store.
        desk: The same, here.
        built_in: The built-in rules.
        hint: Returns what scaling hints say of endpoints; whoever follows targets sets it, and the next three.
        fought: Returns of each scaling target whether something else scales it, too.
        slower: Returns of each scaling target what is to be said of starts that became slower.
        refused: Returns why scaling targets were refused at the last reload; empty if they were not.
        ledger: The engine's own file, which others of this process may keep notes in until it is stopped.

    Args:
        settings: What it is made of.
        reader: The store, as who may read.
        writer: The store, as who may insert.
        log: Where events are told.

    Raises:
        ConfigurationError: A file is wrong.
        LedgerError: The engine's own file cannot be used.
    """

    def __init__(self, settings: Settings, reader: Store, writer: Store, log: Log) -> None:
        self._settings, self._reader, self._writer, self._log = settings, reader, writer, log
        if settings.lease and settings.lease.resolve() == settings.ledger.resolve():
            raise ConfigurationError(
                f"slo.lease: found {settings.lease}, the ledger of this replica; allowed: one file for all"
            )
        watching = objectives(settings.objectives, settings.blind_policy)
        self._channels: Sequence[Channel] = channel_file.channels(settings.channels) if settings.channels else ()
        self.ledger = Ledger(settings.ledger)
        self.shared = DeskStore(reader, writer)
        self.desk = Desk(self.ledger, self.shared, settings.policy)
        self._definitions = Definitions(self.ledger, reader, writer)
        self._notice_log = NoticeLog(self.ledger, writer, settings.replica, lambda: uuid4().hex)
        self._between = Ledger(settings.lease) if settings.lease else None
        self._notifier = Notifier(
            self._channels,
            self.ledger,
            step_s=STEP_S,
            external_url=settings.base_url,
            lease=FileLease(self._between, uuid4().hex, _monotonic_s) if self._between else None,
        )
        self.built_in = Runner(reader, (), _monotonic_s)
        self.hint: Callable[[Sequence[str]], str] = lambda _: ""
        self.fought: Callable[[], Mapping[str, bool]] = dict
        self.slower: Callable[[], Mapping[str, str]] = dict
        self.refused: Callable[[], str] = str
        self._rejected = self._trouble = ""
        self._stop, self._reload = Event(), Event()
        self._engine = self._made(watching)
        self._pruned_s = 0
        self._thread = Thread(target=self._run, name="slo-engine", daemon=True)

    @property
    def view(self) -> EngineView:
        """What the engine saw last."""
        view, rejected = self._engine.view, (self._rejected, self.refused())
        found = [
            *(f"ConfigRejected: {why}; what was read before goes on" for why in rejected if why),
            self._trouble,
            *self.built_in.problems,
            _counting(*view.history) if view.history else "",
            *(f"{one.channel}/{one.instance} hears nothing: {one.why}" for one in self._notifier.failing()),
        ]
        return replace(view, problems=(*view.problems, *(problem for problem in found if problem)))

    def others(self, at_s: int, before: Mapping[int, Alert]) -> Sequence[Watch]:
        """Return what is said of alerts that no objective makes."""
        return [
            *self.built_in.watches(at_s, before),
            *own_alerts.of_targets(self._notifier.targets(), self._notifier.failing(), self._channels),
            own_alerts.of_reload(self._rejected, self.refused()),
            own_alerts.of_silences(before, self.desk.quiet(at_s), at_s),
            *low_budget.of_budgets(self.desk.low(), before),
            *own_alerts.of_scalers(self.fought()),
            *own_alerts.of_starts(self.slower()),
        ]

    def said(self) -> Said:
        """Return what was said, and to whom.

        Raises:
            LedgerError: The engine's own file cannot be read.
        """
        notifier = self._notifier
        return Said(items=self.ledger.log(), waits_s=notifier.waits_s(), told_again=notifier.told_again())

    def start(self) -> None:
        """Begin to evaluate and to tell."""
        self._notifier.start()
        self._thread.start()

    def reload(self) -> None:
        """Read the files of objectives again, soon; what is wrong changes nothing and is told."""
        self._reload.set()

    def stop(self) -> None:
        """End; what is to be said and was not waits in the ledger."""
        self._stop.set()
        self._thread.join(_STOP_S)
        waiting = self._notifier.stop()
        for ledger in self._ledgers:
            ledger.close()
        self._log("slo engine stopped", status=f"{waiting} notices wait")

    @property
    def _ledgers(self) -> list[Ledger]:
        return [self.ledger, *([self._between] if self._between else [])]

    def _made(self, watching: Sequence[Watched]) -> Engine:
        promised = [one.objective for one in watching]
        built_in, services = rules(self._settings.rules, promised), Services(promised)
        explain = explainer(self._reader, self._settings.base_url, _monotonic_s, hint=self._hinted)
        adjust = Adjuster(self._reader, watching, self.desk.agreed).budgets
        reach = Reach(
            channels=partial(routed, self._channels),
            quiet=self.desk.quiet,
            explain=explain,
            adjust=adjust,
            others=self.others,
            is_over=self._stop.is_set,
        )
        reader = Reader(self._reader, self._writer, watching, self._settings.replica, _monotonic_s)
        engine = Engine(watching, reader, self.ledger, reach, (_wall_s(), _monotonic_s()))
        self._hold(watching)
        self.built_in.renew(built_in, services)  # last, so that what fails has changed nothing
        return engine

    def _hold(self, watching: Sequence[Watched]) -> None:
        """Keep what is evaluated from now on."""
        now = [
            Definition(
                slo=one.objective.name,
                definition_hash=one.definition_hash,
                source_yaml=slo_transfer.openslo(one.objective),
            )
            for one in watching
        ]
        self._has_news = True
        if lost := self._definitions.hold(now, wall_ms()):
            self._log("old changes of objectives are given up, too many wait for the store", status=f"{lost} changes")

    def _hinted(self, endpoints: Sequence[str]) -> str:
        return self.hint(endpoints)  # of whoever follows targets then

    def _run(self) -> None:
        wait_s = self._settings.look_s
        while not self._stop.wait(wait_s):
            begun_s, wait_s = _monotonic_s(), self._settings.look_s
            self._guarded(self._step)
            if self._engine.has_more:  # while the past is counted, half of the time is left to others that ask
                wait_s = min(wait_s, _monotonic_s() - begun_s)

    def _step(self) -> None:
        if self._reload.is_set():
            self._reload.clear()
            self._guarded(self._read_again)
        is_instant = bool(self._engine.step(_wall_s(), _monotonic_s()))
        view = self._engine.view
        if is_instant:
            self._notifier.stand(view.standing)
            self._notifier.ring()
        if is_instant or self._has_news:
            self._has_news, self._uncopied = False, self._copy()
        if is_instant:
            trouble = self.desk.refresh(view, int(_wall_s()))
            self._tell(view.blind_cause, trouble, self._uncopied)
            self._tell_rules("; ".join(self.built_in.problems))
            self._trouble = ""  # only a whole instant shows that what failed works again
        self._tell_history(self._engine.view.history)
        if _wall_s() - self._pruned_s >= PRUNE_S:
            self._pruned_s = int(_wall_s())
            for ledger in self._ledgers:
                ledger.prune(self._pruned_s)
            self._engine.forget(self._pruned_s - FORGOTTEN_S)

    def _copy(self) -> str:
        """Copy to the store what is kept for looking back; returns why that cannot be, empty if it can."""
        try:
            self._definitions.copy()
            self._notice_log.copy()
        except StoreError as error:
            return f"definitions and notices are not copied now: {error}"
        if (lost := self.ledger.steps_lost()) != self._lost:
            self._lost = lost
            self._log("steps of notices are given up, too many wait for the store", status=f"{lost} steps")
        return ""

    def _read_again(self) -> None:
        try:
            engine = self._made(objectives(self._settings.objectives, self._settings.blind_policy))
            engine.unkept = self._engine.unkept
            self._engine, self._rejected = engine, ""
            self._log("slo objectives were read again", status=f"{len(self._engine.view.watched)} objectives")
        except ConfigurationError as error:
            self._rejected = str(error)
            self._log("slo objectives are refused, what was read before goes on", reason=str(error))
        except Exception:
            self._reload.set()  # no fault of the files: they are read again at the next look
            raise

    def _guarded(self, step: Callable[[], None]) -> None:
        """Take a step; whatever it meets is told, and the evaluation goes on."""
        try:
            step()
        except LedgerError as error:
            self._trouble = str(error)
            self._log("slo engine cannot keep what it found, and says nothing", reason=str(error))
        except Exception as error:  # noqa: BLE001  # an engine that dies silently is worse than one that complains
            self._trouble = f"the last instant failed: {type(error).__name__}"
            self._log("slo engine failed at an instant", reason=f"{type(error).__name__}: {error}")

    def _tell(self, *reasons: str) -> None:
        """Say what is wrong when it changes."""
        said = "; ".join(reason for reason in reasons if reason)
        if said != self._said:
            self._said = said
            self._log("slo engine is blind or alone" if said else "slo engine sees again", reason=said)

    def _tell_rules(self, said: str) -> None:
        """Say what is wrong with built-in rules when it changes."""
        if said != self._said_of_rules:
            self._said_of_rules = said
            self._log("built-in rules are not all judged" if said else "built-in rules are judged", reason=said)

    def _tell_history(self, history: tuple[int, int] | None) -> None:
        """Say how far the past is counted: at the start, with each day of it, and at the end."""
        days = history and history[0] // 24
        if days != self._days:
            self._days = days
            self._log("slo engine counts", status=_counting(*history) if history else "history is counted")

    _lost = 0
    _has_news = False
    _uncopied = ""
    _said = _said_of_rules = ""
    _days: int | None = None


def _counting(counted: int, of: int) -> str:
    return f"counting history, {counted} of {of} hours"


def _wall_s() -> float:
    return wall_ms() / 1000


def _monotonic_s() -> float:
    return monotonic_ns() / 1e9
