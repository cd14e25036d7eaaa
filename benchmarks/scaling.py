"""Compares our scaling policy with those that the field runs, on traces: `python -m benchmarks.scaling`.

    python -m benchmarks.scaling [--quick] [--jobs N] [--results DIR] [--again POLICY] [--output table|json]

Traces (`benchmarks.scaling_traces`) x cold starts of 100, 300 and 600 s x ten seeds x all policies, 2,300 runs or so.
Every policy has what its documentation ships; `*-tuned` ones look at several shares of the requests that a replica
holds at its goodput. Ours was tuned on days 2 to 7 of ServeGen, which are not reported on. Runs that are done lie in
DIR, a file for each trace and seed, so it may be stopped and goes on; `--again ours` runs ours anew. `--quick` is one
trace, one cold start, three seeds and fewer policies.

    dominated_by                  trace, cold start and policy, where it serves no less within its objectives and takes
                                  no more GPU-hours; policies that know the future are left out. By means
    gpu_hours_vs_best_reactive    ours over the one of HPA, KEDA, KPA and Ray Serve, any setting, that serves most
                                  requests within their objectives: mean over cold starts, of the second best trace
    traces_dominated              traces in which ours, at each cold start, serves no less than HPA, KEDA, KPA and Ray
                                  Serve, each at its setting that serves most, and takes 15 % fewer GPU-hours than each;
                                  a tenth of a percentage point of attainment counts as the same

It takes about an hour of two cores (6,500 s of processor time). Thinned: 8 replicas and 8 hours of ServeGen, not 16
and days; `--unthinned` runs one seed of 16 replicas over 16 hours, so that both orders can be compared.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.harness import Answer, Figure, as_json, table
from benchmarks.scaling_traces import DATA, FILES, TRACES, case, found
from inferometer.hints_backtest_case import replayed
from inferometer.hints_backtest_rank import Ranked, ranked
from loadtest.fleet.score import Score
from slo.scaling.policies.catalogue import FORESEEING

COLDS_S = (300.0, 100.0, 600.0)
SEEDS, QUICK_SEEDS = 10, 3
REACTIVE = (
    "hpa-running",
    "hpa-waiting=1",
    "hpa-waiting=5",
    "hpa-waiting=75",
    "hpa-gpu",
    "hpa-tuned=0.6",
    "hpa-tuned=0.75",
    "hpa-tuned=0.9",
    "keda-waiting",
    "keda-tuned=0.75",
    "kpa",
    "kpa-tuned=0.6",
    "ray-serve",
    "ray-tuned=0.6",
)
OTHERS = (
    "static-peak",
    "oracle",
    "cron",
    "seed",
    "aibrix-apa",
    "apa-tuned=0.6",
    "wva-v1",
    "wva-v2",
    "llmd-slo",
    "llmd-token",
    "dynamo",
    "dynamo-sla",
)
OURS = "ours"
POLICIES = (OURS, *REACTIVE, *OTHERS)
QUICK_POLICIES = (
    OURS,
    "hpa-running",
    "hpa-tuned=0.6",
    "keda-waiting",
    "kpa-tuned=0.6",
    "ray-serve",
    "llmd-slo",
    "oracle",
)
RESULTS = Path(__file__).parent / "results" / "scaling"
FEWER = 0.85
"""GPU-hours over those of another, at which ours is said to take fewer."""
MOSTLY = 0.5
"""Share of the policies that a seed must have to count, while runs are missing."""
SAME = 0.001
"""Difference of two attainments that counts as none."""

Cell = tuple[str, float]
"""(trace, cold start)."""


def work(directory: Path, policies: Sequence[str], colds: Sequence[float], job: tuple[str, int]) -> None:
    """Run what is missing of one trace and seed, and write it down."""
    trace, seed = job
    path = directory / f"{trace}-{seed}.jsonl"
    done = {(one["policy"], one["cold_s"]) for one in _lines(path)}
    todo = [(cold_s, name) for cold_s in colds for name in policies if (name, cold_s) not in done]
    todo = [(cold_s, name) for cold_s, name in todo if trace == "servegen" or name != "cron"]
    if not todo:
        return
    whole = case(trace, seed)
    for cold_s, name in todo:
        line = {"policy": name, "cold_s": cold_s, **asdict(replayed(whole, name, cold_s, seed))}
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def gathered(directory: Path, policies: Sequence[str], jobs: Iterable[tuple[str, int]]) -> dict[Cell, list[Ranked]]:
    """Return the policies of each trace and cold start, over the seeds that all of them have."""
    runs = defaultdict[Cell, dict[int, dict[str, Score]]](lambda: defaultdict(dict))
    for trace, seed in jobs:
        for line in _lines(directory / f"{trace}-{seed}.jsonl"):
            name, cold_s = line.pop("policy"), line.pop("cold_s")
            if name in policies:
                runs[trace, cold_s][seed][name] = Score(**line)
    return {cell: ranked(both) for cell, of in sorted(runs.items()) if set(both := _common(of)) & set(REACTIVE)}


def ratios(cells: Mapping[Cell, Sequence[Ranked]]) -> dict[str, float | Sequence[str] | None]:
    """Return what a gate reads; see above."""
    by_trace = defaultdict[str, list[tuple[Ranked, list[Ranked]]]](list)
    dominated = list[str]()
    for (trace, cold_s), among in cells.items():
        own = next(one for one in among if one.policy == OURS)
        dominated += [f"{trace}, {cold_s:.0f} s: {name}" for name in own.dominated_by]
        by_trace[trace].append((own, [one for one in among if one.policy in REACTIVE]))
    against = {trace: mean(_against(*pair) for pair in pairs) for trace, pairs in by_trace.items()}
    ordered = sorted(against.values())
    return {
        "dominated_by": dominated,
        "gpu_hours_vs_best_reactive": ordered[min(1, len(ordered) - 1)] if ordered else None,
        "traces_dominated": sorted(trace for trace, pairs in by_trace.items() if all(_beaten(*one) for one in pairs)),
        **{f"gpu_hours_vs_best_reactive_{trace}": ratio for trace, ratio in against.items()},
    }


def _against(own: Ranked, others: Sequence[Ranked]) -> float:
    best = max(others, key=lambda one: (one.attainment.mean, -one.gpu_h.mean))
    return own.gpu_h.mean / best.gpu_h.mean


def _beaten(own: Ranked, others: Sequence[Ranked]) -> bool:
    families = defaultdict[str, list[Ranked]](list)
    for one in others:
        families[one.policy.partition("-")[0]].append(one)
    best = [max(of, key=lambda one: (one.attainment.mean, -one.gpu_h.mean)) for of in families.values()]
    return all(
        one.attainment.mean <= own.attainment.mean + SAME and own.gpu_h.mean <= FEWER * one.gpu_h.mean for one in best
    )


def _common(of: Mapping[int, Mapping[str, Score]]) -> dict[str, list[Score]]:
    """Return the runs of the seeds that most policies have; a policy that lacks one of them is left out."""
    own = [policies for _, policies in sorted(of.items()) if OURS in policies]
    most = max((len(policies) for policies in own), default=0)
    whole = [policies for policies in own if len(policies) >= MOSTLY * most]
    names = [name for name in POLICIES if whole and all(name in policies for policies in whole)]
    return {name: [policies[name] for policies in whole] for name in names}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _figures(cells: Mapping[Cell, Sequence[Ranked]]) -> list[Figure]:
    return [figure for cell, among in cells.items() for one in among for figure in _pair(cell, one)]


def _pair(cell: Cell, of: Ranked) -> tuple[Figure, Figure]:
    name = f"{cell[0]}, {cell[1]:.0f} s: {of.policy}"
    low, high = of.attainment.low, of.attainment.high
    note = f"{of.seeds} seeds" if low is None or high is None else f"[{low:.4f}, {high:.4f}], {of.seeds} seeds"
    known = ", knows the future" if of.policy in FORESEEING else ""
    told = f"; better: {' '.join(of.dominated_by)}" if of.dominated_by else ", nobody is better"
    return (
        Figure(name=f"{name}, attainment", value=of.attainment.mean, unit="", note=note),
        Figure(
            name=f"{name}, GPU-hours", value=of.gpu_h.mean, unit="h", note=f"{of.miss_minutes:.1f} misses{told}{known}"
        ),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--quick", action="store_true", help="one trace, one cold start, three seeds")
    parser.add_argument("--unthinned", action="store_true", help="one seed of ServeGen, 16 replicas and 16 hours")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of runs that are done")
    parser.add_argument("--again", default="", help="policy that is run anew")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    return parser.parse_args()


def measured(options: argparse.Namespace) -> Answer:
    """Run what is missing, and return the answer."""
    directory: Path = options.results / ("quick" if options.quick else "full")
    directory.mkdir(parents=True, exist_ok=True)
    traces = [one for one in TRACES if one in found()][: 1 if options.quick else None]
    if not traces:
        raise SystemExit(
            f"found no trace in {DATA}; SCALING_DATA names their folder, which has {', '.join(FILES.values())}"
        )
    policies, colds = (QUICK_POLICIES, COLDS_S[:1]) if options.quick else (POLICIES, COLDS_S)
    jobs = [(trace, seed) for seed in range(QUICK_SEEDS if options.quick else SEEDS) for trace in traces]
    if options.again:
        _forget(directory, jobs, options.again)
    run = partial(work, directory, policies, colds)
    if options.jobs > 1:
        with Pool(options.jobs) as pool:
            pool.map(run, jobs, chunksize=1)
    else:
        for job in jobs:
            run(job)
    return answer(gathered(directory, policies, jobs), traces, is_quick=options.quick)


def answer(cells: Mapping[Cell, Sequence[Ranked]], traces: Sequence[str], *, is_quick: bool) -> Answer:
    """Return what is said of the runs."""
    setting = {"traces": list(traces), "cold_starts_s": sorted({cold_s for _, cold_s in cells}), "is_quick": is_quick}
    return Answer(benchmark="scaling", figures=_figures(cells), ratios=ratios(cells), setting=setting)


def _forget(directory: Path, jobs: Iterable[tuple[str, int]], policy: str) -> None:
    for trace, seed in jobs:
        path = directory / f"{trace}-{seed}.jsonl"
        kept = [json.dumps(line) + "\n" for line in _lines(path) if line["policy"] != policy]
        if path.exists():
            path.write_text("".join(kept))


def _unthinned(options: argparse.Namespace) -> Answer:
    whole = case("servegen", 0, replicas=16, hours=16)
    cells = {("servegen", 300.0): ranked({name: [replayed(whole, name, 300.0, 0)] for name in QUICK_POLICIES})}
    return answer(cells, ["servegen"], is_quick=options.quick)


if __name__ == "__main__":
    asked = _options()
    said = _unthinned(asked) if asked.unthinned else measured(asked)
    print(as_json(said) if asked.output == "json" else table(said))
