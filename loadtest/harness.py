"""Knows how a run lives in Locust: options, roles, signals, the order of its events; refuses to send or to judge.

Locust starts processes, passes messages, shows the live view and stops; what is sent, when, and what it means is ours.
The file of the run is `--load-run`. Events for whoever started us go as lines of JSON to the descriptor that
`INFEROMETER_LOAD_EVENTS` names; without it the ending is logged.

This module is imported by the locustfile alone: importing Locust patches sockets.

Source: spec/loadtest.md 3; Locust 2.47 main.py (order of events, signals), stats.py (`bucket_response_time`).
"""

import logging
import os
import signal
from pathlib import Path
from typing import Any, cast

import gevent
import msgspec
from gevent.event import Event
from gevent.hub import get_hub
from gevent.socket import wait_read
from locust import events as locust_events
from locust import stats

from loadtest.alarm import Alarm
from loadtest.conductor import EXIT_FAULT, EXIT_USAGE, Halt
from loadtest.errors import LoadError
from loadtest.leader import Leader
from loadtest.plan import Plan
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.post import Message, Post
from loadtest.pump import pumped
from loadtest.rows import Row
from loadtest.run_spec import RunSpec, decoded
from loadtest.sketch import rounded_ms
from loadtest.traces import built
from loadtest.worker import Hands, Worker
from loadtest.worker_report import WorkerReport
from telemetry.clock import monotonic_ns, wall_ms, wall_ns
from telemetry.outcome import Outcome

EVENTS_VARIABLE = "INFEROMETER_LOAD_EVENTS"
"""Environment variable: number of an open descriptor."""
_log = logging.getLogger("inferometer.load")
_hooks = cast("Any", locust_events)
_followers: dict[int, "Follower"] = {}


def listen() -> None:
    """Let Locust call us; for the locustfile, once."""
    _hooks.init_command_line_parser.add_listener(_add_options)
    _hooks.init.add_listener(_begin)


def carry_out(environment: object) -> None:
    """Carry out this worker's part and stay; for the plan user's only task."""
    _followers[id(environment)].carry_out()


def _add_options(parser: Any, **_: object) -> None:  # noqa: ANN401 -- Locust's own parser
    add = parser.add_argument_group("inferometer", "what is sent, and when").add_argument
    add("--load-run", metavar="FILE", help="a whole run, JSON, as `inferometer load run` writes it")
    add("--load-rate", type=float, default=1.0, help="without --load-run: arrivals a second, Poisson")
    add("--load-s", type=float, default=60.0, help="without --load-run: length, seconds")
    add("--load-seed", type=int, default=7, help="without --load-run: seed of the plan")
    add("--load-model", default="", help="without --load-run: model that is asked for")
    add("--load-directory", default="runs", help="without --load-run: where its files go")
    add("--load-allow", action="append", default=[], help="without --load-run: HOST that may be loaded")


def _begin(environment: Any, **_: object) -> None:  # noqa: ANN401 -- Locust's own environment
    cast("Any", stats).bucket_response_time = rounded_ms
    post = Post(environment)
    if post.follows:
        _followers[id(environment)] = Follower(post, environment)
    if post.leads:
        Captain(post, environment)
    elif (number := _events()) is not None:
        os.close(number)  # the end of the master alone is the end of its events


def _run_of(environment: Any) -> RunSpec:  # noqa: ANN401 -- Locust's own environment
    """Return the run that the options name.

    Raises:
        LoadError: It is none.
        OSError: Its file cannot be read.
    """
    options = environment.parsed_options
    if options.load_run:
        return decoded(Path(options.load_run).read_bytes())
    run_id = f"locust-{wall_ms()}"
    try:
        return RunSpec(
            run_id=run_id,
            targets=(environment.host or "",),
            plan=PlanSpec(
                seed=options.load_seed,
                rate=RateCurve(points=((0.0, options.load_rate),)),
                duration_s=options.load_s,
            ),
            directory=str(Path(options.load_directory) / run_id),
            model=options.load_model,
            allowed_targets=tuple(options.load_allow),
        )
    except ValueError as error:
        raise LoadError(str(error)) from None


def _built(run: RunSpec) -> Plan:
    """Build the plan in a thread, so that heartbeats go on meanwhile."""
    plan: Plan = cast("Any", get_hub()).threadpool.apply(built, (run.plan, run.trace_path))
    return plan


def _events() -> int | None:
    """Return the descriptor for events; None if nobody wants them."""
    number = os.environ.get(EVENTS_VARIABLE, "")
    return int(number) if number else None


class Captain:
    """The master's role: leads a run when Locust starts a test."""

    def __init__(self, post: Post, environment: Any) -> None:  # noqa: ANN401 -- Locust's own environment
        """Wait for Locust to start a test."""
        self._post, self._environment = post, environment
        self._leader = Leader(post, gevent.sleep, self._tell)
        self._is_interrupted = False
        environment.events.test_start.add_listener(self._on_start)
        environment.events.test_stopping.add_listener(self._on_stopping)
        cast("Any", gevent).signal_handler(signal.SIGINT, self._on_interrupt)
        cast("Any", gevent).signal_handler(signal.SIGUSR1, self._on_enough)

    def _on_start(self, **_: object) -> None:
        gevent.spawn(self._lead)

    def _on_stopping(self, **_: object) -> None:
        """Locust's web page stops the test; behind an ending this changes nothing."""
        self._leader.halt(Halt.INTERRUPTED)

    def _lead(self) -> None:
        self._is_interrupted = False
        try:
            run = _run_of(self._environment)
            ending = self._leader.lead(run, _built(run))
        except (LoadError, OSError) as error:
            self._end(EXIT_USAGE, str(error))
        except Exception as error:  # noqa: BLE001 -- whoever started us has to hear of it
            _log.exception("the run failed")
            self._end(EXIT_FAULT, str(error))
        else:
            self._tell({"event": "ending", "ending": ending})
            self._end(ending.code, ending.message)

    def _end(self, code: int, message: str) -> None:
        self._tell({"event": "end", "code": code, "message": message})
        _log.info("inferometer: exit code %d %s", code, message)
        self._post.end(code)

    def _tell(self, event: dict[str, Any]) -> None:
        """Tell whoever started us; if nobody is there any more, the load ends: it has no owner."""
        events = _events()
        if events is not None:
            try:
                os.write(events, msgspec.json.encode(event) + b"\n")
            except OSError:
                self._leader.halt(Halt.INTERRUPTED)

    def _on_enough(self) -> None:
        """End the run, for whoever started us knows enough."""
        self._leader.halt(Halt.ENOUGH)

    def _on_interrupt(self) -> None:
        """End the run on the first Ctrl-C, and Locust on the second."""
        if not self._leader.halt(Halt.INTERRUPTED) or self._is_interrupted:
            gevent.spawn(self._post.quit)
        self._is_interrupted = True


class Follower:
    """A worker's role: carries out the part that the master hands out."""

    def __init__(self, post: Post, environment: Any) -> None:  # noqa: ANN401 -- Locust's own environment
        """Wait for the plan."""
        self._post = post
        self._ordered, self._started, self._over = Event(), Event(), Event()
        self._order: Message = {}
        self._t0_unix_ns = 0
        self._worker: Worker | None = None
        self._is_halted = False
        post.register("load_plan", self._on_plan)
        post.register("load_ping", self._on_ping)
        post.register("load_go", self._on_go)
        post.register("load_halt", self._on_halt)
        environment.events.test_stopping.add_listener(self._on_stopping)
        if not post.leads:
            cast("Any", gevent).signal_handler(signal.SIGINT, self._on_interrupt)

    def carry_out(self) -> None:
        """Carry out the part, then wait to be stopped; Locust's web page may start another run after that."""
        self._ordered.wait()
        self._over.clear()
        self._is_halted = False
        worker = self._readied()
        if worker is not None:
            self._started.wait()
            if self._is_halted:
                worker.halt()
            self._report(worker.run(monotonic_ns() + self._t0_unix_ns - wall_ns()))
        self._ordered.clear()
        self._started.clear()
        self._over.set()
        Event().wait()

    def _readied(self) -> Worker | None:
        """Build the plan and say so; None if nobody here can carry it out."""
        index = self._order["worker"]
        ack: Message = {"worker": index, "sha256": "", "users": self._post.users, "fault": ""}
        hands = Hands(
            spawn=gevent.spawn,
            sleep=gevent.sleep,
            wait_until=Alarm(wait_read).wait,
            apart=cast("Any", get_hub()).threadpool.apply,
            pump=pumped,
        )
        try:
            run = decoded(self._order["run"].encode())
            plan = _built(run)
            self._worker = Worker(
                run, plan, (index, self._order["workers"]), hands=hands, tell=self._report, seen=self._show
            )
        except (LoadError, OSError) as error:
            code = EXIT_USAGE if isinstance(error, LoadError) else EXIT_FAULT
            self._post.send("load_ack", ack | {"fault": f"worker {index}: {error}", "code": code})
            return None
        self._post.send("load_ack", ack | {"sha256": plan.sha256})
        return self._worker

    def _on_plan(self, message: Message) -> None:
        self._order = message
        self._ordered.set()

    def _on_ping(self, message: Message) -> None:
        """Tell the time of our wall clock, by which the go is told."""
        self._post.send("load_pong", {"worker": message["worker"], "unix_ns": wall_ns()})

    def _on_go(self, message: Message) -> None:
        self._t0_unix_ns = message["t0_unix_ns"]
        self._started.set()

    def _on_halt(self, message: Message) -> None:
        del message
        self._halt()

    def _halt(self) -> None:
        self._is_halted = True
        if self._worker is not None:
            self._worker.halt()

    def _on_stopping(self, **_: object) -> None:
        """Let the run end before Locust kills the plan user."""
        self._halt()
        if self._started.is_set():
            self._over.wait()

    def _on_interrupt(self) -> None:
        """Leave it to the master to end a run that goes on."""
        if not self._started.is_set() or self._over.is_set():
            gevent.spawn(self._post.quit)

    def _report(self, report: WorkerReport) -> None:
        self._post.send("load_report", msgspec.to_builtins(report))

    def _show(self, row: Row) -> None:
        """Show a row in milliseconds; a failure by its class alone, or Locust's memory grows with each new text."""
        record = row.record
        fault = None if record.outcome is Outcome.OK else record.outcome.value
        elapsed_us = record.elapsed_us if record.e2e_us is None else record.e2e_us
        self._post.show(name="e2e", ms=elapsed_us / 1000, size=record.bytes_out, fault=fault)
        for name, us in (("ttft", record.ttft_us), ("tpot", record.tpot_us), ("max_gap", record.icl_max_us)):
            if us is not None:
                self._post.show(name=name, ms=us / 1000, size=0, fault=None)
