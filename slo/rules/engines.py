"""Knows when an engine works on requests and makes no token, and when it makes the same ones again and again.

    stalled     running > 0, and for 30 s neither a counter of tokens nor the use of the KV cache moved, and no answer
                ended well, over two answered scrapes or more: a page. `/health` says 200 all the while; that is the
                naive reading, which sees an engine that does not answer at all and nothing else.
    thrash      preemptions/s * recomputed tokens > 10 % of prompt and output tokens/s, in both halves of 10 min: a
                ticket. The naive reading looks at the KV cache: that it is full is well, and it need not look full.

An engine that is not scraped is not known, which is neither stalled nor well. A counter that began anew stands since
then, so a restart is no stall. Only some engines count a token when they make it; the others count when a request
ends, and nothing follows from a counter of theirs that stands.

Error: a stall is found when it is 30 s old and two scrapes show it, so with a scrape every 10 s after 30 to 40 s.
While a long prompt is read no token is counted, and the cache fills step by step: that is no stall. An engine that
tells nothing of its cache is taken for stalled if it reads one prompt alone for that long (at 9,000 tokens/s one of
270,000). Recomputed tokens are not counted by engines: a preempted request is taken to lose its prompt and half of its
answer, of the mean length of those that ended in the window; what a prefix cache saves of that is not known, so the
share is an upper estimate.

Source: spec/slo.md 14 (`stalled_engine`, `kv_thrash`); spec/measurement.md 14, 15 (T3, T5); vLLM 0.32.0
v1/metrics/stats.py (`IterationStats` counts a token in the step that made it), v1/core/sched/scheduler.py (the use of
the cache is told with each step); LMDeploy 0168eed lmdeploy/metrics/stats.py (as vLLM); NIM for LLMs, "Observability"
(its tokens are counted per iteration); `probes.aliases` for engines that count at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.chosen import window_s
from slo.rules.rule import Found, Mode, Row, Rows, RuleId, Settings
from slo.rules.scraped import engine_found, is_fresh
from telemetry.queries import engine_life
from telemetry.queries.question import Question

COUNTED_AS_MADE = frozenset({"vllm", "lmdeploy", "nim"})
"""Engines that count a token in the step that made it."""
STILL_S = 30
"""How long an engine may work without a token."""
ANSWERS_S = 300
"""Time within which an answer that ended well is looked for, or twice the limit if that is longer."""
SCRAPES = 2
"""Answered scrapes that must show it."""
THRASH_RATIO = 0.1
"""Share of the tokens made that may be made again."""
THRASH_S = 600
"""Time over which that is looked at; in both halves of it."""
PREEMPTIONS = 3
"""Fewer in half of that time are no thrash, however little else is done."""
FULL_RATIO = 0.9
"""Use of the KV cache that the naive reading takes for trouble."""

_COVERED_RATIO = 0.8
_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledEngineRule:
    """Finds engines that work on requests and make no token."""

    settings: Settings
    id: RuleId = field(default=RuleId.STALLED_ENGINE, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=30, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        until_ms = at_s * _MS
        since_ms = until_ms - round(max(ANSWERS_S, 2 * self._limit_s) * _MS)
        return {"still": engine_life.still(until_ms), "answers": engine_life.last_answers(since_ms, until_ms)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what the answers say of every engine of the last hour."""
        answered = {(row["endpoint"], row["replica"]): int(row["answered_unix_ms"]) for row in rows["answers"]}
        return [self._found(at_s, row, answered.get((row["endpoint"], row["replica"]))) for row in rows["still"]]

    @property
    def _limit_s(self) -> float:
        return STILL_S if self.settings.threshold is None else self.settings.threshold

    def _found(self, at_s: int, row: Row, answered_ms: int | None) -> Found:
        naive = Verdict.SILENT if row["up"] else Verdict.PAGE
        if not is_fresh(at_s, row):
            return engine_found(row, "is not scraped", naive, is_known=False)
        if row["running"] is None:
            return engine_found(row, "does not tell what it works on", naive, is_known=False)
        since_ms = max(int(row["since_unix_ms"] or row["heard_unix_ms"]), answered_ms or 0)
        still_s = (int(row["heard_unix_ms"]) - since_ms) / _MS
        if int(row["n_still"]) < SCRAPES or still_s < self._limit_s:
            return engine_found(row, "makes tokens, or has nothing to do", naive)
        summary = f"made no token for {still_s:.0f} s while {row['running']} requests run"
        if not row["is_counted"] or row["engine"] not in COUNTED_AS_MADE:
            return engine_found(
                row, f"{summary}, as far as it counts them before a request ends", naive, is_known=False
            )
        return engine_found(row, summary, naive, Verdict.PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KvThrashRule:
    """Finds engines that lose the memory of requests and compute it again; `window_s` is an hour at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.KV_THRASH, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=60, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        window_ms = self._window_s * _MS
        until_ms = at_s * _MS
        return {"increases": engine_life.increases(until_ms - window_ms, until_ms - window_ms // 2, until_ms)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what the answers say of every engine of the last hour."""
        return [self._found(at_s, row) for row in rows["increases"]]

    @property
    def _window_s(self) -> int:
        return window_s(self.settings, THRASH_S, most_s=engine_life.LOOK_BACK_MS // _MS)

    def _found(self, at_s: int, row: Row) -> Found:
        used = row["kv_used_ratio"]
        naive = Verdict.TICKET if used is not None and float(used) >= FULL_RATIO else Verdict.SILENT
        fresh = is_fresh(at_s, row)
        covered = min(float(row["seconds_old"]), float(row["seconds_new"])) >= _COVERED_RATIO * self._window_s / 2
        least = self.settings.min_events or PREEMPTIONS
        shares = [_again_ratio(row, half, least) for half in ("old", "new")] if fresh and covered else [None]
        known = [one for one in shares if one is not None]
        if len(known) < len(shares):
            shows_use = fresh and used is not None and self.settings.mode is Mode.NAIVE
            return engine_found(row, "does not tell what it computes again", naive, is_known=shows_use)
        limit = THRASH_RATIO if self.settings.threshold is None else self.settings.threshold
        part = "an unknown part" if used is None else f"{float(used):.0%}"
        summary = f"computes {min(known):.0%} of its tokens again, with {part} of its KV cache in use"
        return engine_found(row, summary, naive, Verdict.TICKET if min(known) > limit else Verdict.SILENT)


def _again_ratio(row: Row, half: str, least: int) -> float | None:
    """Return the tokens computed again in half of the window, as a share of those made; None if unknown."""
    preemptions, tokens = row[f"preemptions_{half}"], row[f"tokens_{half}"]
    if preemptions is None or tokens is None:
        return None
    if int(preemptions) < least:
        return 0.0
    if not row["finished"] or row["prompt"] is None or row["output"] is None or not tokens:
        return None
    lost = (int(row["prompt"]) + int(row["output"]) / 2) / int(row["finished"])
    return int(preemptions) * lost / int(tokens)
