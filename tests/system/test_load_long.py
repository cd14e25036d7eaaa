"""Prompts of 50,000 tokens, by which other clients were held up (spec/loadtest.md 20)."""

from pathlib import Path

import msgspec
import pytest
from load_rig import a_run, carried_out, null_server

from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.fitness import Fit
from loadtest.plan_spec import Fixed, PlanSpec, Process, RateCurve, Separate, WorkloadClass

pytestmark = pytest.mark.system

PROMPTS, TOKENS_IN = 64, 50_000
RSS_BYTES_MAX = 256 << 20
"""Of the worker: 64 bodies of 250 KB are 16 MB, and an interpreter with Locust about 80."""


def test_sixty_four_prompts_of_fifty_thousand_tokens_are_sent_as_planned(tmp_path: Path) -> None:
    """vllm #39963: 44 tokens a second in place of 486 at 50,000 tokens of context, and the client was why."""
    lengths = Separate(tokens_in=Fixed(tokens=TOKENS_IN), tokens_out=Fixed(tokens=20))
    plan = PlanSpec(
        seed=7,
        process=Process.CONSTANT,
        rate=RateCurve(points=((0.0, 16.0),)),
        count=PROMPTS,
        classes=(WorkloadClass(lengths=lengths),),
    )
    with null_server("ttft_s=0.1", "itl_s=0.02") as server:
        run = msgspec.structs.replace(a_run(tmp_path, server.url), plan=plan)
        ending, rows = carried_out(run, 1)

    whole = ending.whole
    assert ending.fitness is not None
    print(ending.fitness.fit, ending.message, f"{whole.rss_bytes >> 20} MiB")
    assert (PROMPTS, PROMPTS, {"ok": PROMPTS}, 0) == (ending.planned, whole.sent, whole.outcomes, whole.shed)
    assert all(row.record.bytes_in > 4 * TOKENS_IN for row in rows)
    assert ending.code == (EXIT_OK if ending.fitness.fit is Fit.FIT else EXIT_INCONCLUSIVE)
    assert whole.rss_bytes < RSS_BYTES_MAX
