"""Knows how a baseline is made of kept runs, becomes the one that is compared with, and is found for a gate.

It refuses to compare. A baseline never changes: its runs are those that it was saved with, three or more fit ones of
one key that differ little. Saved it is a candidate; promoted, with a reason, a gate gives verdicts against it.

Source: spec/loadtest.md 12.
"""

import getpass
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from inferometer import data_directory, listing, load_book, load_kept
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.load_book import State
from inferometer.load_kept import Kept
from loadtest.baseline import OLD_DAYS, TOO_OLD_DAYS, Candidate, Key, config_hash, objections
from loadtest.cases import Case
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.digest import METRICS
from loadtest.gate_rows import population
from loadtest.verdict import Verdict
from telemetry.clock import wall_ms
from telemetry.histogram import build
from telemetry.outcome import Outcome

NAME_CHARACTERS_MAX = 64
"""Longest name of a baseline."""
COLUMNS = (
    "baseline", "state", "runs", "saved", "valid_until", "tokens_out_per_s", "goodput_per_s", "key", "reason", "actor",
)  # fmt: skip
_DAY_MS = 86_400_000
_NS = 1e9


def save(config: Config, name: str, names: Sequence[str]) -> int:
    """Save runs as a baseline, not yet compared with.

    Returns:
        Exit code: 0 saved; 4 these runs make none, and stderr says why.

    Raises:
        InferometerError: There is no such run or no store, or the name is taken.
    """
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ConfigurationError(f"name: allowed: 1 to {NAME_CHARACTERS_MAX} printable characters")
    runs = load_kept.found(data_directory.resolve(config.data), names)
    if why := objections([_candidate(run) for run in runs]):
        sys.stderr.write("".join(f"no baseline: {one}\n" for one in why))
        return EXIT_INCONCLUSIVE
    if load_book.states(config, [name]):
        raise ConfigurationError(f"baseline {name} is there already and never changes; choose another name")
    load_book.add(config, made(name, runs, wall_ms(), _actor()))
    sys.stderr.write(f"saved; to give verdicts against it: inferometer load baseline promote {name} --reason TEXT\n")
    return EXIT_OK


def promote(config: Config, name: str, reason: str) -> int:
    """Make a baseline one that gates give verdicts against; returns the exit code.

    Raises:
        InferometerError: There is no such baseline, no store, or no reason.
    """
    if not reason.strip():
        raise ConfigurationError("--reason: why this is how fast it should be")
    state = one(config, name)
    now_ms = max(wall_ms(), state.last_unix_ms + 1)  # the last state holds
    load_book.add(
        config, msgspec.structs.replace(state, active=True, reason=reason, actor=_actor(), last_unix_ms=now_ms)
    )
    return EXIT_OK


def show_all(config: Config, output: str) -> int:
    """Print all baselines and return the exit code.

    Raises:
        InferometerError: There is no store.
    """
    listing.show([row(state) for state in load_book.states(config)], COLUMNS, "baselines", output)
    return EXIT_OK


def show_one(config: Config, name: str, output: str) -> int:
    """Print a baseline with its key and return the exit code.

    Raises:
        InferometerError: There is no such baseline, or no store.
    """
    state = one(config, name)
    key: dict[str, object] = json.loads(state.key_json)
    told = row(state) | {"run_ids": ", ".join(state.run_ids)} | key
    if output == "json":
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        rows = [{"what": what, "value": value} for what, value in told.items()]
        listing.show(rows, ("what", "value"), f"baseline {name}", output)
    return EXIT_OK


def runs_of(config: Config, name: str) -> tuple[list[Kept], list[Case]]:
    """Return the runs of a baseline, and what keeps a gate from a verdict against it.

    Raises:
        InferometerError: There is no such baseline, no store, or its runs are no longer on this machine.
    """
    state = one(config, name)
    found: list[Case] = []
    days = (wall_ms() - state.first_unix_ms) / _DAY_MS
    if not state.active:
        found.append(_open(name, f"not promoted: inferometer load baseline promote {name} --reason TEXT"))
    if days > TOO_OLD_DAYS:
        found.append(_open(name, f"{days:.0f} days old, allowed: {TOO_OLD_DAYS}"))
    elif days > OLD_DAYS:
        sys.stderr.write(f"baseline {name} is {days:.0f} days old: make a new one\n")
    return load_kept.found(data_directory.resolve(config.data), state.run_ids), found


def one(config: Config, name: str) -> State:
    """Return a baseline.

    Raises:
        InferometerError: There is none, or no store.
    """
    found = load_book.states(config, [name])
    if not found:
        raise ConfigurationError(f"no baseline {name}; inferometer load baseline list names all")
    return found[0]


def made(name: str, runs: Sequence[Kept], now_ms: int, actor: str) -> State:
    """Return runs as a baseline.

    Raises:
        ConfigurationError: Rows of a run cannot be read.
    """
    good = [row.record for run in runs for row in population(run.rows()) if row.record.outcome is Outcome.OK]
    histograms = {
        metric: build(us for record in good if (us := METRICS[metric](record)) is not None)
        for metric in ("ttft", "tpot", "e2e")
    }
    seconds = sum((until_ns - first_ns) / _NS for first_ns, until_ns in (run.window_ns for run in runs))
    met = sum(int(run.report["attainment"]["good"]) for run in runs)
    return State(
        baseline_id=name,
        key_json=msgspec.json.encode(runs[0].key).decode(),
        run_ids=tuple(run.run_id for run in runs),
        first_unix_ms=now_ms,
        last_unix_ms=now_ms,
        valid_until_unix_ms=now_ms + TOO_OLD_DAYS * _DAY_MS,
        ttft_h=histograms["ttft"],
        tpot_h=histograms["tpot"],
        e2e_h=histograms["e2e"],
        goodput_per_s=met / seconds,
        tokens_out_per_s=sum(_tokens_per_s(run) for run in runs) / len(runs),
        active=False,
        reason="",
        actor=actor,
    )


def row(state: State) -> dict[str, object]:
    """Return what a list says of a baseline."""
    return {
        "baseline": state.baseline_id,
        "state": "active" if state.active else "candidate",
        "runs": len(state.run_ids),
        "saved": _day(state.first_unix_ms),
        "valid_until": _day(state.valid_until_unix_ms),
        "tokens_out_per_s": _rounded(state.tokens_out_per_s),
        "goodput_per_s": _rounded(state.goodput_per_s),
        "key": config_hash(msgspec.json.decode(state.key_json, type=Key))[:12],
        "reason": state.reason,
        "actor": state.actor,
    }


def _candidate(run: Kept) -> Candidate:
    p50 = [one["value_s"] for one in run.report["metrics"] if (one["name"], one["p"]) == ("ttft", 50.0)]
    return Candidate(key=run.key, is_fit=run.is_fit, tokens_per_s=_tokens_per_s(run), ttft_p50_s=p50[0])


def _tokens_per_s(run: Kept) -> float:
    return float(run.report["throughput"]["tokens_out_per_s"] or 0.0)


def _open(name: str, message: str) -> Case:
    return Case(name=name, verdict=Verdict.INCONCLUSIVE, message=message)


def _actor() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name for this user id (getpass raises one of these by version)
        return "unknown"


def _day(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).date().isoformat()


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
