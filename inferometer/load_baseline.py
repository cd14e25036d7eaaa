"""Knows how a baseline is made of kept runs, becomes the one that is compared with, and is found for a gate.

It refuses to compare. A baseline never changes: its runs are those that it was saved with, three or more fit ones of
one key that differ little. Saved it is a candidate; promoted, with a reason, a gate gives verdicts against it.

Source: spec/loadtest.md 12.
"""

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from inferometer import data_directory, listing, load_book, load_kept, load_stored, load_trail
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.load_book import State
from inferometer.load_kept import Kept
from inferometer.reading import source
from loadtest.baseline import OLD_DAYS, TOO_OLD_DAYS, Candidate, Key, objections
from loadtest.cases import Case
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.digest import METRICS
from loadtest.gate_rows import population
from loadtest.run_spec import Phase
from loadtest.verdict import Verdict
from slo.audit import By, Deed
from telemetry.clock import wall_ms
from telemetry.histogram import build
from telemetry.load_records import ActRow
from telemetry.outcome import Outcome
from telemetry.queries.loads import RUN_IDS_MAX, load_phases, load_run_reports, load_runs

NAME_CHARACTERS_MAX = 64
"""Longest name of a baseline."""
OTHERS_MAX = 20
"""Runs of the same key, the newest ones, that are shown beside a baseline."""
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
        InferometerError: There is no such run, or the name is taken.
    """
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ConfigurationError(f"name: allowed: 1 to {NAME_CHARACTERS_MAX} printable characters")
    runs = load_kept.found(data_directory.resolve(config.data), names)
    if why := objections([_candidate(run) for run in runs]):
        sys.stderr.write("".join(f"no baseline: {one}\n" for one in why))
        return EXIT_INCONCLUSIVE
    if load_book.book(config, [name]).states:
        raise ConfigurationError(f"baseline {name} is there already and never changes; choose another name")
    state = made(name, runs, wall_ms(), _actor())
    load_book.add(config, state, _noted(config, Deed.BASELINE_SAVED, {}, state))
    sys.stderr.write(f"saved; to give verdicts against it: inferometer load baseline promote {name} --reason TEXT\n")
    return EXIT_OK


def promote(config: Config, name: str, reason: str) -> int:
    """Make a baseline one that gates give verdicts against; returns the exit code.

    Raises:
        InferometerError: There is no such baseline, or no reason.
    """
    if not reason.strip():
        raise ConfigurationError("--reason: why this is how fast it should be")
    state = one(config, name)
    now_ms = max(wall_ms(), state.last_unix_ms + 1)  # the last state holds
    after = msgspec.structs.replace(state, active=True, reason=reason, actor=_actor(), last_unix_ms=now_ms)
    load_book.add(config, after, _noted(config, Deed.BASELINE_PROMOTED, row(state), after))
    return EXIT_OK


def show_all(config: Config, output: str) -> int:
    """Print all baselines, say where they stand, and return the exit code.

    Raises:
        InferometerError: They cannot be read.
    """
    book = load_book.book(config)
    listing.show([row(state) for state in book.states], COLUMNS, "baselines", output)
    sys.stderr.write(f"from {book.source}\n")
    return EXIT_OK


def show_one(config: Config, name: str, output: str) -> int:
    """Print a baseline with its key and return the exit code.

    Raises:
        InferometerError: There is no such baseline.
    """
    state = one(config, name)
    key: dict[str, object] = json.loads(state.key_json)
    told = row(state) | {"run_ids": ", ".join(state.run_ids)} | key | _measured(config, state)
    if output == "json":
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        rows = [{"what": what, "value": value} for what, value in told.items()]
        listing.show(rows, ("what", "value"), f"baseline {name}", output)
    return EXIT_OK


def runs_of(config: Config, name: str) -> tuple[list[Kept], list[Case]]:
    """Return the runs of a baseline, and what keeps a gate from a verdict against it.

    Raises:
        InferometerError: There is no such baseline, or its runs are neither on this machine nor in the store.
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
    return _runs(config, name, state.run_ids), found


def one(config: Config, name: str) -> State:
    """Return a baseline.

    Raises:
        InferometerError: There is none.
    """
    book = load_book.book(config, [name])
    if not book.states:
        raise ConfigurationError(f"no baseline {name} in {book.source}; inferometer load baseline list names all")
    return book.states[0]


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
    tokens = [tokens for run in runs if (tokens := _tokens_per_s(run)) is not None]
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
        tokens_out_per_s=sum(tokens) / len(tokens) if len(tokens) == len(runs) else None,
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
        "key": sha256(state.key_json.encode()).hexdigest()[:12],  # as `config_hash`, of whatever version it is
        "reason": state.reason,
        "actor": state.actor,
    }


def standing(config: Config, key: Key) -> str:
    """Return the name of the promoted baseline of a key that was saved last and is not too old; empty if none is known.

    Nothing is compared with it: it is what a gate of this key would take, whatever its plan.
    """
    with suppress(InferometerError):  # a book that cannot be read costs no run
        fits = _promoted(load_book.book(config).states, key)
        return max(fits, key=lambda one: one.first_unix_ms).baseline_id if fits else ""
    return ""


def newest(config: Config, candidate: Kept) -> str:
    """Return the name of the promoted baseline of its key that was saved last and is not too old, and say it.

    One of the same plan is preferred to a newer one of another, against which there is no verdict.

    Raises:
        ConfigurationError: There is none.
    """
    book = load_book.book(config)
    fits = _promoted(book.states, candidate.key)
    if not fits:
        raise ConfigurationError(f"no promoted baseline of this key in {book.source}; name one with --against")
    plans = _plans(config, [run_id for state in fits for run_id in state.run_ids][:RUN_IDS_MAX])

    def preference(state: State) -> tuple[bool, int]:
        return candidate.plan_sha256 in {plans.get(run_id) for run_id in state.run_ids}, state.first_unix_ms

    name = max(fits, key=preference).baseline_id
    sys.stderr.write(f"against {name}, the newest promoted baseline of this key\n")
    return name


def _promoted(states: Sequence[State], key: Key) -> list[State]:
    text = msgspec.json.encode(key).decode()
    return [one for one in states if one.active and one.key_json == text and one.valid_until_unix_ms > wall_ms()]


def _plans(config: Config, run_ids: Sequence[str]) -> dict[str, str]:
    """Return the hash of the plan of each run that is here or in the store."""
    where = data_directory.resolve(config.data)
    found: dict[str, str] = {}
    for run_id in run_ids:
        with suppress(ConfigurationError):  # of another version
            if place := load_kept.place(where, run_id):
                found[run_id] = load_kept.kept(place).plan_sha256
    if missing := [run_id for run_id in run_ids if run_id not in found]:
        with suppress(UnreachableError):
            for kept in source(config).rows(load_run_reports(missing)):
                with suppress(ValueError, LookupError, TypeError):  # too long to be kept, or of another version
                    found[str(kept["run_id"])] = json.loads(str(kept["report_json"]))["plan"]["sha256"]
    return found


def _measured(config: Config, state: State) -> dict[str, object]:
    """Return what the store says of the measured part of each run, and of other runs of the key; nothing without it."""
    try:
        store = source(config)
        phases = [phase for phase in store.rows(load_phases(state.run_ids)) if phase["kind"] == Phase.MEASURED]
        alike = store.rows(load_runs(0, wall_ms(), key_json=state.key_json))
    except UnreachableError:
        return {}
    words: dict[str, object] = {
        f"run {phase['run_id']}": f"{phase['good']} of {phase['offered']} requests good, {phase['completed']} answered"
        for phase in phases
    }
    others = [str(run["run_id"]) for run in alike if run["run_id"] not in state.run_ids]
    return words | {"other runs of this key": ", ".join(others[:OTHERS_MAX]) or "none"}


def _noted(config: Config, deed: Deed, before: Mapping[str, object], after: State) -> ActRow:
    by = By(who=after.actor, at_s=after.last_unix_ms // 1000)
    return load_trail.noted(data_directory.resolve(config.data), deed, after.baseline_id, by, (before, row(after)))


def _runs(config: Config, name: str, run_ids: Sequence[str]) -> list[Kept]:
    """Return the runs of a baseline from their directories, and from the store those that are not here."""
    where = data_directory.resolve(config.data)
    here = {run.run_id: run for run in load_kept.found(where, [one for one in run_ids if load_kept.place(where, one)])}
    if missing := [one for one in run_ids if one not in here]:
        try:
            store = source(config)
        except UnreachableError as error:
            raise ConfigurationError(f"runs of baseline {name} are not in {where.root / 'runs'}: {error}") from None
        sys.stderr.write(f"baseline {name}: {', '.join(missing)} read from the store {store.url}\n")
        here |= {run.run_id: run for run in load_stored.stored(store, missing)}
    return [here[one] for one in run_ids]


def _candidate(run: Kept) -> Candidate:
    p50 = [one["value_s"] for one in run.report["metrics"] if (one["name"], one["p"]) == ("ttft", 50.0)]
    return Candidate(key=run.key, is_fit=run.is_fit, tokens_per_s=_tokens_per_s(run), ttft_p50_s=p50[0])


def _tokens_per_s(run: Kept) -> float | None:
    found = run.report["throughput"]["tokens_out_per_s"]
    return None if found is None else float(found)


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
