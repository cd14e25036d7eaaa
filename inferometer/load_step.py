"""Knows how one step of a sweep is carried out: a run at a rate, or of so many users; refuses to choose either.

A run at a rate ends early where its verdict is certain (`loadtest.early`): its rows are read as its workers write them.

Source: spec/loadtest.md 7 (steps); `loadtest.journal` (rows are written in groups, at least every half second).
"""

import sys
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inferometer import data_directory, load_kept, load_key, load_run, load_target
from inferometer.config_schema import Config
from inferometer.engine_facts import merged
from inferometer.load_calibration import ceiling
from inferometer.load_looks import looks
from inferometer.load_options import Options, plan_spec, planned, run_spec
from inferometer.load_tail import Tail
from inferometer.load_tries import Result, insisted
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.early import Looker
from loadtest.plan import Plan
from loadtest.search import LENGTHS_MAX, requests_to_accept
from loadtest.sweep import Measured

if TYPE_CHECKING:
    from inferometer.load_kept import Kept
    from loadtest.prompts import Calibration

_SPARE = 1.2  # of Poisson arrivals so many may come fewer than planned for


class Carrier:
    """Carries out the runs of one sweep.

    Attributes:
        where: The target.
        engine: What is known of the engine: its file, and what it said of itself in the last run.
        directory: Of the sweep itself; those of its runs are `DIRECTORY-NUMBER`.

    Args:
        config: The configuration.
        options: What was typed.
        name: Of the sweep.

    Raises:
        InferometerError: The target may not be loaded, or does not answer.
    """

    def __init__(self, config: Config, options: Options, name: str) -> None:
        """Reach the target."""
        self._config, self._options = config, options
        self._data = data_directory.resolve(config.data)
        self.where = load_target.reached(options.target, config.load.allowed_targets)
        self._model = options.model or load_target.first_model(self.where, options.key_file)
        self.directory = self._data.root / "runs" / name
        self.engine = load_key.UNKNOWN if options.engine_file is None else load_key.engine(Path(options.engine_file))
        self._number = 0
        self.last: Kept | None = None
        """The last run, once there is one."""
        self._calibration: Calibration | None = None

    def at_rate(self, rate_rps: float) -> Result:
        """Carry out a run at a rate; returns its id, exit code and rows."""
        options = replace(self._options, rate=rate_rps, seconds=self._seconds(rate_rps), closed=None)
        return insisted(lambda: self._at_rate(options))

    def of_users(self, options: Options) -> Result:
        """Carry out a closed loop, once; returns its id, exit code and rows."""
        return self._carried(options, self._plan(options), f"{options.closed} users, closed loop", None)

    def _at_rate(self, options: Options) -> Result:
        plan = self._plan(options)
        first_j = bisect_left(plan.t_sched_ns, round(options.warm_up * 1e9))
        looker = Looker(first_j, {"default": options.objectives}, options.goodput_ratio)
        return self._carried(options, plan, f"{options.rate:.4g} requests a second, {len(plan)} arrivals", looker)

    def _seconds(self, rate_rps: float) -> float:
        """Return the length of a step: as typed, or what it takes to prove anything, up to three times as long."""
        warm_up = self._options.warm_up
        length_s = (self._options.seconds or 0.0) - warm_up
        needed_s = requests_to_accept(self._options.goodput_ratio) / rate_rps
        return warm_up + max(length_s, min(needed_s * _SPARE, LENGTHS_MAX * length_s))

    def _plan(self, options: Options) -> Plan:
        return planned(plan_spec(replace(options, seed=self._options.seed + self._number)), self._config.load)

    def _carried(self, options: Options, plan: Plan, words: str, looker: Looker | None) -> Result:
        run_id = f"{self.directory.name}-{self._number}"
        self._number += 1
        directory = self.directory.with_name(run_id)
        run = run_spec(
            options, plan.spec, self._config.load, run_id=run_id, directory=str(directory), model=self._model
        )
        run = msgspec.structs.replace(run, ceiling_chunks_per_s=ceiling(self._data.root), calibration=self._calibration)
        sys.stderr.write(f"{run_id}: {words}\n")
        tail = Tail(directory)

        def is_enough(line: str) -> bool:
            load_run.on_terminal(line)
            return looker is not None and any(looker.sees(row) for row in tail.rows())

        carried = load_run.carry(self._config, options, run, plan, is_enough)
        self._calibration = carried.run.calibration
        report = load_run.reported(carried, self._data, options.goodput_ratio, self.engine)
        self.engine = merged(self.engine, carried.guard.facts) if carried.guard else self.engine
        self.last = kept = load_kept.kept(directory)
        code = EXIT_INCONCLUSIVE if kept.ended == EXIT_OK and not kept.is_fit else kept.ended
        if code != EXIT_OK:
            sys.stderr.write(f"{run_id}: {report['verdict']['message'] or 'not proven fit'}\n")
        seen = looks(directory, kept.window_ns)
        measured = Measured(
            rows=kept.rows(),
            window_ns=kept.window_ns,
            kv_used_p95=seen.kv_used_p95,
            gpu_util_ratio=seen.gpu_util_ratio,
            prefix_hit_ratio=seen.prefix_hit_ratio,
        )
        return run_id, code, measured
