"""Knows when an endpoint is slower than its load test was at the same load; refuses to take tokens/s for speed.

Tokens per second follow demand, and the seed's 120 to 200 per H100 fits a 70B model of one kind only: the same model
makes more than ten times as many on a tuned pair. So what is compared is the time per output token, at the load point
that the requests met:

    speed = T(running, ctx) of the baseline / median time per output token now,   ctx = tokens_in + tokens_out / 2

A ticket below 80 %, a page below 60 %. The naive reading is tokens/s per GPU below the seed's 120, whatever was asked.
Shown beside it: the speed of reading prompts, which other requests of the same step slow down and which therefore
decides nothing; tokens/s per GPU in minutes in which requests waited in every engine, the only ones in which they are a
capacity; and what the load test said of the roofline.

Nothing is known without a baseline (a scaling profile with a step model), with fewer than `ANSWERS` answers, and
within the window after a start of an engine, when it warms up.

Error: as good as the step model of the profile; the load is sampled at scrapes, and other requests than the users'
(probes, load tests) are in the load and not in the median.

Source: spec/slo.md 13 (`throughput_below_expected`, seed S3); spec/loadtest.md 15 (roofline, the seed's number), 19.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.capacity_profile import Profile, profiles_of
from slo.rules.chosen import MINUTE_S, window_s
from slo.rules.rule import Found, Mode, Row, Rows, RuleId, Settings
from telemetry.queries import speeds
from telemetry.queries.profiles import profiles
from telemetry.queries.question import Question

WINDOW_S = 900
"""Time over which speed is looked at; whole minutes."""
TICKET_RATIO, PAGE_RATIO = 0.2, 0.4
"""Shares by which the speed is below the baseline's; the option `page_ratio` replaces the second."""
ANSWERS = 100
"""Fewer answers say nothing."""
PRESET = (120, 200)
"""The seed's tokens/s per H100; the option `preset_tokens_per_s` replaces the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One endpoint: its pace, its load point, its tokens and its baseline; None is unknown."""

    pace: Row
    load: Row | None
    rate: Row | None
    profile: Profile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputBelowExpectedRule:
    """Finds endpoints that are slower than their load test was."""

    settings: Settings
    id: RuleId = field(default=RuleId.THROUGHPUT_BELOW_EXPECTED, init=False)
    kind: Kind = field(default=Kind.THROUGHPUT, init=False)
    every_s: int = field(default=60, init=False)
    for_s: int = field(default=300, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        window_ms = (at_s - window_s(self.settings, WINDOW_S, MINUTE_S)) * 1000, at_s * 1000
        return {
            "paces": speeds.paces(*window_ms),
            "loads": speeds.load_points(*window_ms),
            "rates": speeds.rates(*window_ms),
            "profiles": profiles(at_s * 1000),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows are of the instant
        """Return what the answers say of every endpoint that answered."""
        loads = {row["endpoint"]: row for row in rows["loads"]}
        rates = {row["endpoint"]: row for row in rows["rates"]}
        known = profiles_of(rows["profiles"])
        found: list[Found] = []
        for row in rows["paces"]:
            name = row["endpoint"]
            seen = _Seen(pace=row, load=loads.get(name), rate=rates.get(name), profile=known.get(name))
            found.append(self._found(seen))
        return found

    def _found(self, seen: _Seen) -> Found:
        least = self.settings.options.get("preset_tokens_per_s", PRESET[0])
        per_gpu = _per_gpu(seen.rate, "tokens_per_s")
        speed, summary = self._speed(seen)
        return Found(
            labels={"endpoint": str(seen.pace["endpoint"])},
            sound=Verdict.SILENT if speed is None else self._verdict(speed),
            naive=Verdict.TICKET if per_gpu is not None and per_gpu < least else Verdict.SILENT,
            words={"summary": f"{seen.pace['endpoint']}: {summary}", **_words(seen, per_gpu, least)},
            is_known=speed is not None or (per_gpu is not None and self.settings.mode is Mode.NAIVE),
        )

    def _speed(self, seen: _Seen) -> tuple[float | None, str]:
        """Return the speed as a share of the baseline's, and what is said of it."""
        pace, load = seen.pace, seen.load
        if seen.profile is None:
            return None, "no baseline"
        if int(pace["n"]) < (self.settings.min_events or ANSWERS) or pace["tokens_in"] is None:
            return None, f"{pace['n']} answers with a pace and a length are too few to tell its speed"
        if load is None or load["running"] is None or int(load["starts"]):
            return None, "its load is not known, or an engine warms up"
        ctx = float(pace["tokens_in"]) + float(pace["tokens_out"]) / 2
        step_us = seen.profile.step_us(float(load["running"]), ctx)
        if step_us is None:
            return None, "no baseline: its profile has no step model"
        speed = step_us / float(pace["tpot_us"])
        took = f"an output token takes {float(pace['tpot_us']) / 1000:.1f} ms, {step_us / 1000:.1f} ms in the load test"
        return speed, f"{took} with {float(load['running']):.3g} running: {speed:.0%} of its speed"

    def _verdict(self, speed: float) -> Verdict:
        if 1 - speed > self.settings.options.get("page_ratio", PAGE_RATIO):
            return Verdict.PAGE
        ticket = TICKET_RATIO if self.settings.threshold is None else self.settings.threshold
        return Verdict.TICKET if 1 - speed > ticket else Verdict.SILENT


def _per_gpu(rate: Row | None, name: str) -> float | None:
    if rate is None or rate[name] is None or not rate["gpus"]:
        return None
    return float(rate[name]) / int(rate["gpus"])


def _words(seen: _Seen, per_gpu: float | None, least: float) -> dict[str, str]:
    made = "tokens/s per GPU unknown" if per_gpu is None else f"{per_gpu:.0f} tokens/s per GPU"
    words = {"naive": f"{made}; the seed expects {least:.0f} to {PRESET[1]} per H100 for one 70B model"}
    if (full := _per_gpu(seen.rate, "full_tokens_per_s")) is not None and seen.rate is not None:
        words["full"] = f"{full:.0f} tokens/s per GPU in {seen.rate['full_minutes']} minutes in which requests waited"
    told, read = (seen.profile.told if seen.profile else None), seen.pace["prefill_tokens_per_s"]
    if told and told.prefill_tokens_per_s and read is not None:
        words["prefill"] = f"{float(read):.0f} prompt tokens/s, {told.prefill_tokens_per_s:.0f} in the load test"
    if told and told.roofline_ratio is not None:
        words["roofline"] = (
            f"{told.roofline_ratio:.0%} of it in the load test, limited by {told.wall or 'what is unknown'}"
        )
    return words
