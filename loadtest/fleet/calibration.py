"""Knows how measured or expected times become an engine's parameters; refuses to know files and devices.

Decode steps are fitted by T = alpha + b (beta + gamma ctx), prompts by a + delta tokens, both by least squares. What a
prompt takes less than a step without requests, alpha - a, hides behind the reading of the weights. Prompts shorter than
`TOKENS_LEAST` take as long as that reading and say nothing of delta.

Error: told as r2, the share of the variance that the line explains. In the published times of llama2-70b on 4 H100 the
steps of 1 to 64 requests bend upwards (r2 0.97): the line is 7 % too long at 32 requests, 4 % too short at 64. A table
that bends more, as that of the same model on 2 GPUs (r2 0.45), makes no engine to believe in.

Source: spec/scaling.md 5, 7; Mutinifni/splitwise-sim, data/perf_model.csv (MIT), columns by their header.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from loadtest.errors import TraceError
from loadtest.fleet.engine import BLOCK_TOKENS, Engine
from loadtest.roofline import Mix, Setup, expected
from loadtest.scaling_profile import StepModel, fitted_step

TOKENS_LEAST = 512
"""Prompt tokens of a step from which on its time is that of the prompts."""
_COLUMNS = (
    *("model", "hardware", "tensor_parallel", "prompt_size", "batch_size", "token_size"),
    *("prompt_time", "token_time"),
)
_CONTEXTS = (256, 1024, 4096)
_MS = 1000.0

Key = tuple[str, str, int]
"""(model, hardware, tensor parallel size)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfRow:
    """One measured batch.

    Attributes:
        tokens_in: Of each prompt.
        batch: Requests.
        tokens_out: Of each answer.
        prompt_s: Until the first tokens.
        token_s: For each later token.
    """

    tokens_in: int
    batch: int
    tokens_out: int
    prompt_s: float
    token_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What was fitted.

    Attributes:
        step: Of a decode step.
        prefill: Time of a step by prompt tokens: `alpha_s` is a, `beta_s` is delta.
    """

    step: StepModel
    prefill: StepModel

    def engine(self, kv_tokens: int, *, seqs_max: int = 256, batched_tokens_max: int = 8192) -> Engine:
        """Return an engine that steps like this."""
        return Engine(
            alpha_s=self.step.alpha_s,
            beta_s=max(0.0, self.step.beta_s),
            gamma_s=self.step.gamma_s,
            prefill_s=self.prefill.beta_s,
            hidden_s=min(max(0.0, self.step.alpha_s - self.prefill.alpha_s), self.step.alpha_s),
            kv_blocks=kv_tokens // BLOCK_TOKENS,
            seqs_max=seqs_max,
            batched_tokens_max=batched_tokens_max,
        )


def read(lines: Iterable[str]) -> dict[Key, list[PerfRow]]:
    """Read a table of measured batches, in the file's order.

    Raises:
        TraceError: A line is not what the header says, or a column is missing.
    """
    table = csv.DictReader(lines)
    found: dict[Key, list[PerfRow]] = {}
    for at, row in enumerate(table, 2):
        try:
            model, hardware, *numbers = (row[column] for column in _COLUMNS)
            gpus, tokens_in, batch, tokens_out, prompt_ms, token_ms = map(float, numbers)
        except (KeyError, TypeError, ValueError) as error:
            raise TraceError(f"found {str(row)[:200]}, allowed: columns {', '.join(_COLUMNS)}", at) from error
        found.setdefault((model, hardware, int(gpus)), []).append(
            PerfRow(
                tokens_in=int(tokens_in),
                batch=int(batch),
                tokens_out=int(tokens_out),
                prompt_s=prompt_ms / _MS,
                token_s=token_ms / _MS,
            )
        )
    return found


def fitted(rows: Sequence[PerfRow]) -> Fit | None:
    """Fit measured batches; None where they do not determine both lines."""
    points = [(row.batch, row.tokens_in + row.tokens_out / 2, row.token_s) for row in rows]
    step = fitted_step(points)
    prompts = [(row.batch * row.tokens_in, 0.0, row.prompt_s) for row in rows]
    prefill = fitted_step([one for one in prompts if one[0] >= TOKENS_LEAST])
    return None if step is None or prefill is None else Fit(step=step, prefill=prefill)


def of_roofline(setup: Setup, *, tokens_in: float, seqs_max: int = 256, batched_tokens_max: int = 8192) -> Engine:
    """Return the engine that a roofline expects.

    Args:
        setup: The model as it is served, which must fit.
        tokens_in: Mean prompt, for which the time of a prompt token holds.
        seqs_max: Largest batch.
        batched_tokens_max: Tokens of a step.
    """
    endless = replace(setup, kv_tokens=1 << 40, max_num_seqs=None)
    points = list[tuple[float, float, float]]()
    batch = 1
    while batch <= max(2, seqs_max):
        for context in _CONTEXTS:
            mix = Mix(tokens_in=context, tokens_out=1, context=context, concurrency=batch)
            points.append((batch, context, expected(endless, mix).step_s or 0.0))
        batch *= 2
    step = fitted_step(points)
    assert step is not None  # noqa: S101 -- there are two batches at least
    prefill_s = expected(endless, Mix(tokens_in=tokens_in, tokens_out=1, concurrency=1)).prefill_s / tokens_in
    kv_tokens = expected(setup, Mix(tokens_in=1, tokens_out=1, context=1.0)).kv_batch
    prefill = StepModel(alpha_s=0.0, beta_s=prefill_s, gamma_s=0.0, r2=None)
    return Fit(step=step, prefill=prefill).engine(kv_tokens, seqs_max=seqs_max, batched_tokens_max=batched_tokens_max)
