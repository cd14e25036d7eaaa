"""Knows the SQL form of a histogram's quantile and fraction, once; refuses to know where the histogram comes from.

The same arithmetic as `telemetry.histogram`, which says its error; a test holds the two against each other. In every
answer no population gives NULL, a rank that falls on a failure gives inf, and the bounds stand beside the estimate.

Populations: `ok` are the values of the histogram, `all` are these and the failures.

Source: spec/store.md 4.3, 4.4.
"""

from telemetry.histogram import SCALE, ZERO_KEY
from telemetry.percentile import P50, P90, P95, P99, P999

PERCENTILES_PPM = (P50, P90, P95, P99, P999)
"""Percentiles of every array in an answer, in order, in parts per million."""
POPULATIONS = ("ok", "all")

_PER_DOUBLING = 2**SCALE
_PPM_SQL = f"[{', '.join(map(str, PERCENTILES_PPM))}]"


def given(h: str, failures: str) -> list[str]:
    """Return the named expressions that the columns below use, for a WITH clause.

    Args:
        h: Name of a column with a histogram, Map(Int16, UInt64).
        failures: Expression of the members of `all` that count as +infinity.
    """
    rank = "arrayFirstIndex(c -> c >= intDiv(p * n_{0} + 999999, 1000000), cs)"
    return [
        f"mapSort({h}) AS sorted",
        "mapKeys(sorted) AS ks",
        "mapValues(sorted) AS vs",
        "arrayCumSum(vs) AS cs",
        "toUInt64(arraySum(vs)) AS n_ok",
        f"n_ok + toUInt64({failures}) AS n_all",
        f"{_PPM_SQL} AS ppm",
        *(f"arrayMap(p -> {rank.replace('{0}', name)}, ppm) AS {name}_at" for name in POPULATIONS),
    ]


def quantile_columns(population: str) -> list[str]:
    """Return the arrays `<population>_s`, `_low_s`, `_high_s` and `_error_ratio_max`, one entry per percentile."""
    share = f"(p * n_{population} / 1000000 - (cs[at] - vs[at])) / vs[at]"
    return [
        f"arrayMap((at, p) -> {_value(population, share)}, {population}_at, ppm) AS {population}_s",
        f"arrayMap(at -> {_value(population, '0')}, {population}_at) AS {population}_low_s",
        f"arrayMap(at -> {_value(population, '1')}, {population}_at) AS {population}_high_s",
        error_column(population),
    ]


def at_rank(population: str, place: str) -> str:
    """Return the expression of an end of the bucket that holds rank `r`, given the rest.

    Args:
        population: `ok` or `all`.
        place: `0` for its lower end, `1` for its upper one.
    """
    return f"arrayMap(at -> {_value(population, place)}, [arrayFirstIndex(c -> c >= r, cs)])[1]"


def error_column(population: str) -> str:
    """Return the array `<population>_error_ratio_max`, given the other three."""
    columns = ", ".join(f"{population}_{end}" for end in ("s", "low_s", "high_s"))
    error = "multiIf(isNull(e), NULL, low = 0 OR isInfinite(high), 0., greatest(high / e - 1, 1 - low / e))"
    return f"arrayMap((e, low, high) -> {error}, {columns}) AS {population}_error_ratio_max"


def largest() -> str:
    """Return the expression of the end of the last bucket that holds a value, NULL without one."""
    return f"multiIf(n_ok = 0, NULL, ks[-1] = {ZERO_KEY}, 0., exp2((ks[-1] + 1) / {_PER_DOUBLING}))"


def given_threshold(us: str) -> list[str]:
    """Return the named expressions that the shares below use, beside `given`.

    Args:
        us: Expression of the threshold in microseconds, above 0.
    """
    return [
        f"log2({us} / 1000000) * {_PER_DOUBLING} AS y",
        "ceil(y) - 1 AS j",
        "arraySum((k, v) -> if(k < j, v, 0), ks, vs) AS n_under",
        "arraySum((k, v) -> if(k = j, v, 0), ks, vs) AS n_within",
    ]


def fraction_columns(population: str) -> list[str]:
    """Return `<population>_below`, `_below_low` and `_below_high`: the share at or below the threshold."""
    counts = {
        "below": "n_under + (y - j) * n_within",
        "below_low": "n_under + if(y = j + 1, n_within, 0)",
        "below_high": "n_under + n_within",
    }
    return [
        f"if(n_{population} = 0, NULL, ({count}) / n_{population}) AS {population}_{name}"
        for name, count in counts.items()
    ]


def bounds(index: str) -> list[str]:
    """Return `low_s` and `high_s` of a bucket, given the expression of its index."""
    return [
        f"if({index} = {ZERO_KEY}, 0., exp2(({index} + {end}) / {_PER_DOUBLING})) AS {name}"
        for end, name in ((0, "low_s"), (1, "high_s"))
    ]


def _value(population: str, place: str) -> str:
    ends = f"n_{population} = 0, NULL, at = 0, inf, ks[at] = {ZERO_KEY}, 0."
    return f"multiIf({ends}, exp2((ks[at] + {place}) / {_PER_DOUBLING}))"
