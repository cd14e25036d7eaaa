"""Knows the SQL of how far a percentile of few requests is proven; refuses to know where its values come from.

Whatever the law of the values: of n independent ones J lie above the percentile p, and J follows Bin(n, 1 - p). So the
percentile lies with 95 % confidence between the values at two ranks, which are the same in exact rows and in buckets.
The upper one is there from n = ln 0.025 / ln p on (p50 6, p95 72, p99 368); below that nothing bounds it.

Only below `certain_from` requests is it asked for: then J is small, and `_TERMS` terms of its law are enough.

Source: spec/ui.md 4 ("uncertain", with its interval); H. A. David, H. N. Nagaraja, Order Statistics, 7.1.
"""

from telemetry.percentile import P99, certain_from
from telemetry.queries.buckets import PERCENTILES_PPM, POPULATIONS

FEW = certain_from(P99)
"""No percentile that people see is uncertain from so many values of a group on."""

_RISK = 0.025
_TERMS = 24
"""Terms of the law: 6.7 values are expected above an uncertain percentile, and more than 23 come with 3e-7."""
_PPM = f"[{', '.join(map(str, PERCENTILES_PPM))}]"
_FLOORS = f"[{', '.join(str(min(certain_from(one), FEW)) for one in PERCENTILES_PPM)}]"


def given() -> list[str]:
    """Return the named expressions that the columns below use beside `n_ok` and `n_all`, for a WITH clause."""
    return [one for population in POPULATIONS for one in _ranks(population)]


def columns(population: str, low: str, high: str) -> list[str]:
    """Return the arrays `<population>_from_s` and `<population>_to_s`; NULL where a percentile is certain or unbounded.

    Args:
        population: `ok` or `all`.
        low: Expression of the value at rank `r`, or of what it is at least.
        high: The same, or what it is at most.
    """
    known = f"r < 1 OR r > n_{population}, NULL"
    return [
        f"arrayMap(r -> if({known}, {value}), {population}_{end}_rank) AS {population}_{end}_s"
        for end, value in (("from", low), ("to", high))
    ]


def _ranks(population: str) -> list[str]:
    n = f"n_{population}"
    chosen = f"lgamma({n} + 1) - lgamma(j + 1) - lgamma({n} - j + 1)"
    law = f"exp({chosen} + j * log(1 - p / 1000000) + ({n} - j) * log(p / 1000000))"
    above = f"arrayCumSum(j -> {law}, range(if({n} < floor, least({n} + 1, {_TERMS}), 0)))"
    ends = {"from": f"arrayFirstIndex(c -> c >= {1 - _RISK}, a)", "to": f"arrayCount(c -> c <= {_RISK}, a)"}
    return [
        f"arrayMap((p, floor) -> {above}, {_PPM}, {_FLOORS}) AS {population}_above",
        *(
            f"arrayMap(a -> if(empty(a), 0, toInt64({n}) + 1 - {place}), {population}_above) AS {population}_{end}_rank"
            for end, place in ends.items()
        ),
    ]
