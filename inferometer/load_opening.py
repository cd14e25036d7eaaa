"""Knows what a sweep asks of a target in closed loops: one user, then as many as are of use; refuses to try rates.

    one user     30 requests of the mix's prompts, and 30 of a quarter of their length: how long a step of one request
                 takes, and how fast a prompt is read
    many users   1.2 times what the engine or its file says it batches (`max-num-seqs`, `max-running-requests`);
                 where neither does, four times
                 as many again and again, until output no longer grows by 5 %. What the target then gives is its
                 ceiling, which places the rungs of rates and is no result itself: a client that cannot keep up with
                 so many ends the climb, and nothing else

Source: spec/loadtest.md 7 (sweep 1 and 2, closed loop), 15 (fit of two prompt lengths), 19 (step model).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import itemgetter

from inferometer.load_key import Engine
from inferometer.load_options import Options
from inferometer.load_tries import Result, insisted
from loadtest.conductor import EXIT_INCONCLUSIVE, EXIT_OK
from loadtest.sweep import ClosedPoint, closed_point

ALONE_REQUESTS = 30
"""Of one user, at each length of prompts."""
USERS_OVER_SEQS = 1.2
"""Users for each request that the engine batches."""
GAIN_ENOUGH = 1.05
"""Growth of output below which more users are of no use."""
ALONE_S_MAX = 600.0
"""Longest time that one user asks for."""
_SHORTER = 4
_FLAGS = frozenset({"max_num_seqs", "max_running_requests"})  # vLLM, SGLang

Carry = Callable[[Options], Result]
"""Carries out a closed loop; returns its id, exit code and rows."""


@dataclass(slots=True, kw_only=True)
class Closed:
    """What closed loops showed so far.

    Attributes:
        points: Each number of users, in the order in which they were tried.
        run_ids: Runs that it rests on.
        code: Exit code of the run that ended it early; 0 if none did.
    """

    points: list[ClosedPoint] = field(default_factory=list[ClosedPoint])
    run_ids: list[str] = field(default_factory=list[str])
    code: int = EXIT_OK

    def take(self, carry: Carry, options: Options, *, is_rough: bool = False) -> bool:
        """Carry out a closed loop and keep what it showed; returns whether it was fit.

        Args:
            carry: Carries it out.
            options: Of the loop.
            is_rough: Whether what an unfit client saw is good enough.
        """
        run_id, code, measured = carry(options) if is_rough else insisted(lambda: carry(options))
        point = closed_point(options.closed or 1, measured)
        if code == EXIT_OK and point is None:
            code = EXIT_INCONCLUSIVE  # its requests ran out before any of them counted
        is_rough_enough = is_rough and code == EXIT_INCONCLUSIVE and point is not None and point.rate_rps > 0
        self.code = EXIT_OK if is_rough_enough else code
        if point is not None and self.code == EXIT_OK:
            self.points.append(point)
        self.run_ids += [run_id] * (code == EXIT_OK)
        return code == EXIT_OK

    @property
    def outputs(self) -> list[float]:
        """What each gave: output tokens a second; answers where the target does not count tokens."""
        tokens = [point.tokens_out_per_s for point in self.points if point.tokens_out_per_s is not None]
        return tokens if len(tokens) == len(self.points) else [point.rate_rps for point in self.points]

    @property
    def best(self) -> ClosedPoint:
        """The one with the most output; there must be one."""
        return max(zip(self.outputs, self.points, strict=True), key=itemgetter(0))[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What closed loops showed before the search.

    Attributes:
        alone: One user: short prompts, and those of the mix; empty if nobody asked.
        saturated: As many users as are of use; None if nobody asked, or a run ended it early.
        run_ids: Runs that it rests on.
        code: Exit code of the run that ended it early; 0 if none did.
    """

    alone: tuple[ClosedPoint, ...] = ()
    saturated: ClosedPoint | None = None
    run_ids: tuple[str, ...] = ()
    code: int = EXIT_OK


def opened(carry: Carry, options: Options, engine: Callable[[], Engine]) -> Opening:
    """Ask as one user, then as so many that more would be of no use.

    Args:
        carry: Carries out a closed loop.
        options: What was typed.
        engine: Returns what is known of the engine, which is more behind the first run.
    """
    one = alone(carry, options)
    if one.code != EXIT_OK:
        return Opening(run_ids=tuple(one.run_ids), code=one.code)
    many = saturated(carry, options, engine())
    return Opening(
        alone=tuple(one.points),
        saturated=None if many.code != EXIT_OK else many.best,
        run_ids=(*one.run_ids, *many.run_ids),
        code=many.code,
    )


def alone(carry: Carry, options: Options) -> Closed:
    """Ask as one user, for prompts of a quarter of the length and of the length itself; both medians, if they vary."""
    seen = Closed()
    tokens = int(options.tokens_in.partition("~")[0])
    one = replace(options, closed=1, count=ALONE_REQUESTS, seconds=ALONE_S_MAX, warm_up=0.0)
    for length in (max(1, tokens // _SHORTER), tokens):
        if not seen.take(carry, replace(one, tokens_in=str(length))):
            break
    return seen


def saturated(carry: Carry, options: Options, engine: Engine) -> Closed:
    """Ask as so many users that more would be of no use.

    Args:
        carry: Carries out a closed loop.
        options: What was typed.
        engine: What is known of the engine.
    """
    seqs = max_num_seqs(engine)
    if seqs is None:
        return climbed(carry, options, factor=4, is_rough=True)
    seen = Closed()
    users = min(round(seqs * USERS_OVER_SEQS), options.in_flight_max)
    seen.take(carry, replace(options, closed=users), is_rough=True)
    return seen


def max_num_seqs(engine: Engine) -> int | None:
    """Return how many requests the engine batches, as it or its file says; None if neither does."""
    told = [str(value) for name, value in (engine.flags or {}).items() if _flag(name) in _FLAGS]
    return next((int(value) for value in told if value.isdigit()), None)


def _flag(name: str) -> str:
    """Return a flag as the engine calls it: typed `--max-num-seqs`, told `scheduler_config.max_num_seqs`."""
    return name.rpartition(".")[2].lstrip("-").replace("-", "_")


def climbed(carry: Carry, options: Options, factor: int, *, is_rough: bool = False) -> Closed:
    """Ask as more and more users, until output no longer grows.

    Args:
        carry: Carries out a closed loop.
        options: What was typed.
        factor: Between one number of users and the next.
        is_rough: As of `Closed.take`.
    """
    seen = Closed()
    for users in _powers(factor, options.in_flight_max):
        if not seen.take(carry, replace(options, closed=users), is_rough=is_rough):
            break
        *before, last = seen.outputs
        if last < max(before, default=0.0) * GAIN_ENOUGH:
            break
    return seen


def _powers(factor: int, most: int) -> Iterator[int]:
    users = 1
    while users <= most:
        yield users
        users *= factor
