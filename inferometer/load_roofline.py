"""Knows what a report says of the roofline, from what the file of the engine tells; refuses to make the rest up.

    roofline:
      model: llama-70b              # or params, layers, kv_heads, head_dim, width [params_active, latent, experts]
      device: h100                  # or memory_bytes, bandwidth_bytes_per_s, flops_bf16, flops_fp8; none: gpu_model
      memory_ratio: 0.94            # and kv_tokens, max_num_seqs, act_bytes, accepted, mbu, mfu, overhead_s

Tensor parallel size, types of weights and KV, and max_num_seqs come from the rest of the file and from the engine.

Source: spec/loadtest.md 15, 18 (`roofline`).
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean, median
from typing import Any

import msgspec

from inferometer.load_key import Engine
from inferometer.load_opening import max_num_seqs
from inferometer.report_tables import Column, Table
from loadtest.achievable import Seen, achieved, one_at_a_time
from loadtest.gate_rows import counted
from loadtest.roofline import Setup
from loadtest.rows import Row
from loadtest.served import setup
from loadtest.sweep import Measured, in_flight
from telemetry.outcome import Outcome
from telemetry.record import RequestRecord

_SHARES = ("mbu", "mfu")
_US = 1e6


def served(engine: Engine) -> Setup | str | None:
    """Return how the model is served, or in words what is not known of it; None if nothing is told for a roofline."""
    if engine.roofline is None:
        return None
    return setup(
        engine.roofline,
        gpu_model=engine.gpu_model,
        gpus=engine.tensor_parallel,
        weight_dtype=engine.weight_dtype,
        kv_dtype=engine.kv_dtype,
        max_num_seqs=max_num_seqs(engine),
    )


def told(
    engine: Engine, rows: Iterable[Row], window_ns: tuple[int, int], *, users: int | None, is_fit: bool
) -> dict[str, Any]:
    """Return what a report says of the roofline; empty if the file says nothing, or an answer has unknown tokens.

    Args:
        engine: What is known of the engine.
        rows: Every row of the run, in the order of the plan; they are looked at again and again.
        window_ns: Its measured part.
        users: Of a closed loop; None in an open one.
        is_fit: Whether the client was proven not to be the limit.
    """
    known = served(engine)
    if known is None or isinstance(known, str):
        return {} if known is None else {"missing": known}
    asked, answered, tpots = array("q"), array("q"), array("q")
    for one in _good(rows):
        asked.append(one.tokens_in or 0)
        answered.append(one.tokens_out or 0)
        if one.tpot_us is not None:
            tpots.append(one.tpot_us)
    if not asked or not all(asked) or not all(answered):
        return {}
    run = Measured(rows=rows, window_ns=window_ns)
    flights = in_flight(run)
    mean_flight = fmean(flights) if flights else None
    seen = Seen(
        tokens_in=fmean(asked),
        tokens_out=fmean(answered),
        tokens_out_per_s=sum(answered) / run.span_s if run.span_s > 0 else None,
        in_flight=mean_flight,
        tpot_s=median(tpots) / _US if tpots else None,
        users=users,
        is_fit=is_fit,
    )
    plain: dict[str, Any] = msgspec.to_builtins(achieved(known, seen, one_at_a_time(_good(rows), mean_flight)))
    return plain


def _good(rows: Iterable[Row]) -> Iterator[RequestRecord]:
    return (row.record for row in counted(rows) if row.record.outcome is Outcome.OK)


def tables(found: Mapping[str, Any] | None) -> list[Table]:
    """Return the table of what a report says of the roofline; none if it says nothing."""
    if not found:
        return []
    columns = (Column(name="what", figures=False), Column(name="value", figures=False))
    if "missing" in found:
        return [Table(title="roofline", columns=columns, rows=(("not known", found["missing"]),))]
    percent = "n/a" if found["percent"] is None else f"{found['percent']:.3g} %"
    shares = ", ".join(
        f"{name} {found[name]:.2g}" + ("" if name in found["fitted"] else " assumed") for name in _SHARES
    )
    rows = (
        ("output tokens / s at most", f"{found['tokens_out_per_s_max']:.4g}"),
        ("reached of it", percent),
        ("wall", found["wall"]),
        ("requests of a step, KV cache holds", f"{found['batch']}, {found['kv_batch']}"),
        ("reached of the hardware", shares),
    )
    return [Table(title="roofline", columns=columns, rows=rows, notes=(found["remedy"],))]
