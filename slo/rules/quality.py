"""Knows when answers look wrong from outside; refuses to read them.

    bad output   empty answers, repetition and what else ends as `bad_output`, against the same time of the seven days
                 before, by the test of `slo.jump`: a ticket
    length       the mean length of good answers is proven 40 % below that of the same time of those days: a ticket
    corrupted    an engine met numbers that are none (NaN) in its outputs: a ticket

All of it comes with status 200 and good latencies. The naive reading is a gateway's: 0.5 % or more of
the requests have a status of 500 or above.

Not measured, since no text is kept: whether an answer is true, useful or polite, and repetition that the engine does
not end by itself (`finish_reason` `repetition`). NaN is told by vLLM alone, if `VLLM_COMPUTE_NANS_IN_LOGITS=1`. So this
is a canary, and a metric of the users (how many ask again, accept, complain) belongs beside it.

Error: the upper 5 % point of the mean is that of a normal distribution, which `ANSWERS` answers are enough for unless
few are extremely long; asked every ten minutes, a filter and no sequential test. A mix of requests that changes within
one endpoint, model and class changes lengths as well: `length_mix_shift` says so.

Source: spec/slo.md 14 (`quality_canary`), 13 (the test); spec/measurement.md 9 (`bad_output`), 14.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slo.counts import Counts
from slo.inhibit import Kind
from slo.jump import Verdict, error_rate_jump
from slo.rules.chosen import DAY_S, MINUTE_S, window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from slo.rules.scraped import engine_found, is_fresh
from telemetry.queries.answers import LOOK_BACK_MS, answers_now, answers_usual, corrupted
from telemetry.queries.question import Question

WINDOW_S = 3_600
"""Time whose answers are looked at; whole minutes, less than a day."""
ANSWERS = 100
"""Fewer answers, now or before, say nothing."""
SHORTER_RATIO = 0.4
"""Share by which the mean length must have fallen."""
FAILED_RATIO = 0.005
"""Share of requests that fail visibly, of the naive reading."""

_UPPER_SD = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCanaryRule:
    """Finds endpoints whose answers look wrong, and engines that say so."""

    settings: Settings
    id: RuleId = field(default=RuleId.QUALITY_CANARY, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        length_s = window_s(self.settings, WINDOW_S, MINUTE_S, most_s=DAY_S - MINUTE_S)
        window_ms = (at_s - length_s) * 1000, at_s * 1000
        return {
            "now": answers_now(*window_ms),
            "usual": answers_usual(*window_ms),
            "corrupted": corrupted(max(window_ms[0], window_ms[1] - LOOK_BACK_MS), window_ms[1]),
        }

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:
        """Return what the answers say of every endpoint, model and class, and of every engine that looks for NaN."""
        usual = {_key(row): row for row in rows["usual"]}
        found = [self._found(row, usual.get(_key(row))) for row in rows["now"]]
        return found + [_corrupted(at_s, row) for row in rows["corrupted"]]

    def _found(self, now: Row, usual: Row | None) -> Found:
        n, least = int(now["n"]), self.settings.min_events or ANSWERS
        where = f"{now['endpoint']} {now['model']}"
        is_known = usual is not None and min(int(now["answers"]), int(usual["answers"])) >= least
        faults = self._faults(now, usual) if usual is not None and is_known else []
        calm = "answers look as usual" if is_known else "too few answers, now or at this time of the days before"
        return Found(
            labels={name: str(now[name]) for name in ("endpoint", "model", "workload_class")},
            sound=Verdict.TICKET if faults else Verdict.SILENT,
            naive=Verdict.TICKET if int(now["failed"]) >= FAILED_RATIO * n else Verdict.SILENT,
            words={"summary": f"{where}: {'; '.join(faults) or calm}"},
            bad=int(now["bad"]) or None,
            is_known=is_known,
        )

    def _faults(self, now: Row, usual: Row) -> list[str]:
        found: list[str] = []
        bad, answers = int(now["bad"]), int(now["answers"])
        before = Counts(eligible=int(usual["answers"]), bad=int(usual["bad"]))
        if error_rate_jump(Counts(eligible=answers, bad=bad), before).sound is not Verdict.SILENT:
            kinds = f"{now['empty']} empty, {now['repeated']} repeating"
            found.append(f"{bad} of {answers} answers are bad ({kinds}), {before.bad} of {before.eligible} were")
        if self._is_shorter(now, usual):
            found.append(
                f"answers have {float(now['tokens']):.0f} tokens in the mean, {float(usual['tokens']):.0f} before"
            )
        return found

    def _is_shorter(self, now: Row, usual: Row) -> bool:
        """Return whether the mean length is proven to have fallen."""
        lengths = int(now["lengths"])
        if min(lengths, int(usual["lengths"])) < (self.settings.min_events or ANSWERS):
            return False
        fallen = SHORTER_RATIO if self.settings.threshold is None else self.settings.threshold
        upper = float(now["tokens"]) + _UPPER_SD * float(now["tokens_sd"]) / math.sqrt(lengths)
        return upper < (1 - fallen) * float(usual["tokens"])


def _key(row: Row) -> tuple[str, str, str]:
    return str(row["endpoint"]), str(row["model"]), str(row["workload_class"])


def _corrupted(at_s: int, row: Row) -> Found:
    if not is_fresh(at_s, row):
        return engine_found(row, "is not scraped", Verdict.SILENT, is_known=False)
    n = int(row["corrupted"])
    sound = Verdict.TICKET if n else Verdict.SILENT
    return engine_found(row, f"met NaN in the outputs of {n} requests", Verdict.SILENT, sound)
