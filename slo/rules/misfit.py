"""Knows when work runs on a stack that is made for other work; refuses to move it. All of them are tickets.

    batch on serverless     long runs (over 10,000 inputs, or 10 min) whose bill by the token is more than twice what a
                            replica of one's own would take for them. Naive: that there is a long run; the seed says
                            5 to 10 times, and the measured ratio is printed.
    endpoint on batch       more than half of the time to the first token is the engine's queue, while more than 90 % of
                            its places are taken and it is as fast as its load test (90 % or more): its throughput is
                            fine, the user waits. Naive: the queue's share alone, which a slow engine has too.
    workflow, stateless     in more than 5 % of flows a step has lost the context of the one before. Proven by the lower
                            5 % point of the share; naive: the share itself.

What a rule needs and is not told it does not know: prices and speeds are options, speeds also stand in the scaling
profile of the target, a flow needs its header. Never 0, never silent.

Error: the cost of a replica of one's own is that of its work at `slo.cost.RHO_MAX`, with whole use of the rest of its
time, so the ratio is an upper estimate where runs are few.

Source: spec/slo.md 2 (class misfit, seed S0), 6 (Beta points).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.cost import RHO_MAX, Capacity
from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.capacity_profile import Profile, profiles_of
from slo.rules.chosen import DAY_S, HOUR_S, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.special import proven_above, ratio_lower
from telemetry.queries import speeds
from telemetry.queries.misfits import batch_runs, flow_contexts, queue_shares
from telemetry.queries.profiles import profiles
from telemetry.queries.question import Question

BILL_RATIO = 2.0
LONG_INPUTS, LONG_S = 10_000, 600
QUEUE_RATIO, FULL_RATIO, FAST_RATIO = 0.5, 0.9, 0.9
LOST_RATIO = 0.05
QUARTER_S = 900
REQUESTS, FLOWS = 100, 20
"""Fewer say nothing."""
PRICES = ("usd_per_mtok_in", "usd_per_mtok_out", "gpu_usd_per_hour")
SPEEDS = ("prefill_tokens_per_s", "decode_tokens_per_s")
_MTOK, _MS = 1e6, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOnServerlessRule:
    """Finds long batch runs that a replica of one's own would do for half the bill.

    Options: `usd_per_mtok_in`, `usd_per_mtok_out`, `usd_per_mtok_cache_read` of the bill; `gpu_usd_per_hour`,
    `gpus_per_replica`, `prefill_tokens_per_s` and `decode_tokens_per_s` of a replica of one's own.
    """

    settings: Settings
    id: RuleId = field(default=RuleId.MISFIT_BATCH_ON_SERVERLESS, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=3_600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_s = at_s - (self.settings.window_s or DAY_S)
        inputs = self.settings.min_events or LONG_INPUTS
        lasting_s = self.settings.options.get("long_s", LONG_S)
        return {"runs": batch_runs(since_s * _MS, at_s * _MS, inputs, lasting_s)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows are of the instant
        """Return what the answers say of every endpoint with batch work."""
        return [self._found(row) for row in rows["runs"]]

    def _found(self, row: Row) -> Found:
        runs, unnumbered = int(row["runs"]), int(row["unnumbered"])
        naive = Verdict.TICKET if runs else Verdict.SILENT
        long = f"{runs} long runs of {row['inputs']} inputs, the longest {float(row['longest_s'] or 0):.0f} s"
        if not runs:
            told = f"{unnumbered} batch requests name no job" if unnumbered else "no long run"
            return _found(row, naive, told, is_known=not unnumbered)
        missing = [name for name in (*PRICES, *SPEEDS) if not self.settings.options.get(name)]
        if missing or int(row["unknown"]):
            why = f"{', '.join(missing)} not set" if missing else f"the tokens of {row['unknown']} inputs are not known"
            return _found(row, naive, f"{long}: what they cost is unknown: {why}", is_known=False)
        bill, own = self._bill_usd(row), self._own_usd(row)
        limit = BILL_RATIO if self.settings.threshold is None else self.settings.threshold
        told = f"{long}: a bill of {bill:.2f} USD, {bill / own:.1f} times the {own:.2f} USD of a replica of one's own"
        return _found(row, naive, told, Verdict.TICKET if bill > limit * own else Verdict.SILENT)

    def _bill_usd(self, row: Row) -> float:
        options = self.settings.options
        cached = options.get("usd_per_mtok_cache_read", options["usd_per_mtok_in"])
        told = (("tokens_read", options["usd_per_mtok_in"]), ("tokens_out", options["usd_per_mtok_out"]))
        return (sum(int(row[name]) * usd for name, usd in told) + int(row["tokens_cached"]) * cached) / _MTOK

    def _own_usd(self, row: Row) -> float:
        options = self.settings.options
        capacity = Capacity(
            prefill_tokens_per_s=options["prefill_tokens_per_s"], decode_tokens_per_s=options["decode_tokens_per_s"]
        )
        replica_s = capacity.work_s(int(row["tokens_read"]), int(row["tokens_out"])) / RHO_MAX
        return replica_s / HOUR_S * options["gpu_usd_per_hour"] * options.get("gpus_per_replica", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOnBatchStackRule:
    """Finds users who wait in the queue of an engine that is full and fast; `window_s` is a day at most.

    Options: `max_num_seqs`, the places of one replica (vLLM's flag of that name).
    """

    settings: Settings
    id: RuleId = field(default=RuleId.MISFIT_ENDPOINT_ON_BATCH_STACK, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=300, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        window_ms = (at_s - window_s(self.settings, QUARTER_S)) * _MS, at_s * _MS
        return {
            "queues": queue_shares(*window_ms),
            "paces": speeds.paces(*window_ms),
            "loads": speeds.load_points(*window_ms),
            "profiles": profiles(at_s * _MS),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows are of the instant
        """Return what the answers say of every endpoint whose engine tells its queue."""
        paces, loads = ({str(row["endpoint"]): row for row in rows[name]} for name in ("paces", "loads"))
        known = profiles_of(rows["profiles"])
        return [
            self._found(row, _Engine(loads.get(name), paces.get(name), known.get(name)))
            for row in rows["queues"]
            for name in (str(row["endpoint"]),)
        ]

    def _found(self, row: Row, engine: "_Engine") -> Found:
        limit = QUEUE_RATIO if self.settings.threshold is None else self.settings.threshold
        waits = float(row["queue_ratio"]) > limit
        naive = Verdict.TICKET if waits else Verdict.SILENT
        told = f"{float(row['queue_ratio']):.0%} of the time to the first token is the engine's queue"
        if int(row["n"]) < (self.settings.min_events or REQUESTS):
            return _found(row, naive, f"{told}, of {row['n']} requests: too few", is_known=False)
        if not waits:
            return _found(row, naive, told)
        places, speed = self.settings.options.get("max_num_seqs"), engine.speed_ratio
        if not places or engine.running is None or speed is None:
            missing = [
                *([] if places else ["max_num_seqs is not set"]),
                *([] if engine.running is not None else ["its load is not known"]),
                *([] if speed is not None else ["there is no baseline of its speed"]),
            ]
            return _found(row, naive, f"{told}: {', '.join(missing)}", is_known=False)
        full = engine.running / places
        told = f"{told}, {full:.0%} of its places are taken, at {speed:.0%} of its speed"
        is_misfit = full > FULL_RATIO and speed >= FAST_RATIO
        return _found(row, naive, told, Verdict.TICKET if is_misfit else Verdict.SILENT)


@dataclass(frozen=True, slots=True)
class _Engine:
    """The engines of one endpoint; None is unknown."""

    load: Row | None
    pace: Row | None
    profile: Profile | None

    @property
    def running(self) -> float | None:
        """Requests that one replica works on."""
        return None if self.load is None or self.load["running"] is None else float(self.load["running"])

    @property
    def speed_ratio(self) -> float | None:
        """Speed as a share of the baseline's at the same load."""
        pace, running = self.pace, self.running
        if pace is None or self.profile is None or running is None or pace["tpot_us"] is None or not pace["tokens_in"]:
            return None
        step_us = self.profile.step_us(running, float(pace["tokens_in"]) + float(pace["tokens_out"]) / 2)
        return None if step_us is None else step_us / float(pace["tpot_us"])


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStatelessRule:
    """Finds workflows that lose their context between steps; `window_s` is a day at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.MISFIT_WORKFLOW_STATELESS, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=300, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        return {"contexts": flow_contexts((at_s - window_s(self.settings, HOUR_S)) * _MS, at_s * _MS)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows are of the instant
        """Return what the answers say of every endpoint and model with workflows."""
        return [self._found(row) for row in rows["contexts"]]

    def _found(self, row: Row) -> Found:
        flows, lost = int(row["flows"]), int(row["lost"])
        limit = LOST_RATIO if self.settings.threshold is None else self.settings.threshold
        naive = Verdict.TICKET if flows and lost / flows > limit else Verdict.SILENT
        named = {"model": str(row["model"])}
        if not flows:
            told = f"{row['unnumbered']} requests of workflows name no flow: what they keep is unknown"
            return _found(row, naive, told, is_known=False, named=named)
        told = f"{lost} of {flows} flows lost their context ({row['shrunk']} shrank, {row['restarted']} began anew)"
        if flows < (self.settings.min_events or FLOWS):
            return _found(row, naive, f"{told}: too few", is_known=False, named=named)
        told += f", proven {ratio_lower(lost, flows):.1%} at least"
        sound = Verdict.TICKET if proven_above(lost, flows, limit) else Verdict.SILENT
        return _found(row, naive, told, sound, named=named)


def _found(
    row: Row,
    naive: Verdict,
    told: str,
    sound: Verdict = Verdict.SILENT,
    *,
    is_known: bool = True,
    named: Mapping[str, str] | None = None,
) -> Found:
    labels = {"endpoint": str(row["endpoint"]), **(named or {})}
    words = {"summary": f"{' '.join(labels.values())}: {told}"}
    return Found(labels=labels, sound=sound, naive=naive, words=words, is_known=is_known)
