"""Knows how much of a plan's prompts a prefix cache could hold; refuses to know what a cache did hold.

The measured ratio of hits must come within 5 points of the planned one, else something else was in the cache, or less.

Source: spec/loadtest.md 8 (planned and measured hit ratio), 10 (reuse of the published traces).
"""

from collections.abc import Iterable

from loadtest.plan import Plan
from loadtest.prompts import BLOCK_TOKENS
from loadtest.trace_formats import TraceRow

APART_RATIO = 0.05
"""How far the two ratios may be apart."""


def block_reuse_ratio(rows: Iterable[TraceRow]) -> float | None:
    """Return the share of the blocks that an earlier row, or the row itself, had too; None without blocks."""
    seen: set[int] = set()
    blocks = 0
    for row in rows:
        blocks += len(row.blocks)
        seen.update(row.blocks)
    return 1 - len(seen) / blocks if blocks else None


def planned_hit_ratio(plan: Plan) -> float:
    """Return the share of all prompt tokens whose beginning an earlier arrival had too, in a cache without end.

    Further turns of conversations are not counted: what they share is not known before the answers are.
    """
    seen: set[object] = set()
    held = tokens = 0
    for one in plan.mine(0, 1):
        tokens += one.len_in
        if one.blocks:
            shared = _known_blocks(one.blocks, seen) * BLOCK_TOKENS
        else:
            key = (one.workload_class, one.prefix_id)
            shared = one.prefix_len if key in seen else 0
            seen.add(key)
        held += min(shared, one.len_in)
    return held / tokens if tokens else 0.0


def _known_blocks(blocks: tuple[int, ...], seen: set[object]) -> int:
    """Return how many leading blocks are known; a block is known only after the same blocks as before."""
    chain, known = 0, 0
    for at, block in enumerate(blocks):
        chain = hash((chain, block))
        if chain in seen and known == at:
            known += 1
        seen.add(chain)
    return known
