"""Knows what each arrival of a plan asks for; refuses to know when it comes.

Every draw has its own stream, and a stream gives each arrival equally many numbers whatever its class is (turns
excepted), so that a change of one thing leaves the others as they are. With two arms, arrivals 2k and 2k + 1 are a
pair: equal but for their nonce, one to each target in an order that a coin decides.

Source: spec/loadtest.md 2 (streams), 8 (lengths, prefixes, turns, classes), 9 (patience, aborts), 14 (pairs).
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loadtest.errors import PlanError
from loadtest.lengths import length_of, lognormal, pair_of, picked, zipf
from loadtest.plan import Columns, Ragged
from loadtest.plan_spec import ARRIVALS_MAX, Pairs, PlanSpec, WorkloadClass
from loadtest.random_streams import Stream, Uniform, bits64, stream

_LONGEST_S = 1e9  # nobody waits or thinks longer than 30 years
_TURN_VALUES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one arrival, or both of a pair, ask for; 0 is none where `plan.Columns` says so."""

    class_at: int
    len_in: int
    len_out: int
    prefix_id: int
    patience_us: int
    abort_after: int
    turns: tuple[int, ...]


def columns(spec: PlanSpec, times_ns: "array[int]") -> Columns:
    """Return the arrivals of a synthetic plan, at these times.

    Raises:
        PlanError: Their conversations have more than `ARRIVALS_MAX` further turns.
    """
    n = len(times_ns)
    made = Columns(
        t_sched_ns=times_ns,
        nonce=nonces(spec.seed, n),
        turns=Ragged(starts=array("Q", [0]), values=array("Q")),
        arm=arms(spec.seed, n) if spec.arms > 1 else array("B"),
    )
    drawn = Wishes(spec)
    for j in range(0, n, spec.arms):
        wish = drawn.draw()
        for _ in range(min(spec.arms, n - j)):
            _append(made, wish)
    return without_idle(made)


class Wishes:
    """Draws what arrivals, or pairs of them, ask for.

    Args:
        spec: Of the plan.
    """

    def __init__(self, spec: PlanSpec) -> None:
        """Begin all streams."""
        self._pick = picked(tuple(one.weight for one in spec.classes))
        self._kinds = [_Kind(one) for one in spec.classes]
        self._streams = {name: stream(spec.seed, name) for name in Stream}

    def draw(self, class_at: int | None = None) -> Wish:
        """Draw the next one.

        Args:
            class_at: Its class; None draws that too.
        """
        drawn = self._pick(self._streams[Stream.LENGTHS]())
        at = drawn if class_at is None else class_at
        return self._kinds[at].wish(at, self._streams)


def nonces(seed: int, n: int) -> "array[int]":
    """Return a nonce for each of n arrivals."""
    text = stream(seed, Stream.TEXT)
    return array("Q", (bits64(text) for _ in range(n)))


def arms(seed: int, n: int) -> "array[int]":
    """Return the targets of n arrivals: of each two one goes to each."""
    coin = stream(seed, Stream.ARM)
    found = array("B")
    for _ in range(0, n, 2):
        first = int(coin() * 2)
        found.extend((first, 1 - first))
    return found[:n]


def without_idle(made: Columns) -> Columns:
    """Return the columns, those of them emptied that say nothing of any arrival."""
    for column in (made.class_at, made.prefix_id, made.patience_us, made.abort_after):
        if not any(column):
            del column[:]
    for ragged in (made.turns, made.blocks):
        if not ragged.values:
            del ragged.starts[:]
    return made


class _Kind:
    """Draws for one class."""

    def __init__(self, one: WorkloadClass) -> None:
        self._one = one
        self._lengths = _both(one)
        self._group = picked(zipf(one.prefix.groups, one.prefix.zipf)) if one.prefix else None
        self._further = length_of(one.conversations.tokens_in) if one.conversations else None

    def wish(self, at: int, streams: dict[Stream, Uniform]) -> Wish:
        """Draw what the next arrival of this class asks for; the class itself is drawn."""
        lengths, patience = streams[Stream.LENGTHS], streams[Stream.PATIENCE]
        len_in, len_out = self._lengths(lengths(), lengths())
        group, patient, cut = streams[Stream.PREFIX](), patience(), patience()
        prefix, patience_law, aborts = self._one.prefix, self._one.patience, self._one.aborts
        return Wish(
            class_at=at,
            len_in=max(len_in, prefix.tokens + 1) if prefix else len_in,
            len_out=len_out,
            prefix_id=self._group(group) + 1 if self._group else 0,
            patience_us=_us(patience_law.median_s, patience_law.sigma, patient) + 1 if patience_law else 0,
            abort_after=aborts.after_tokens if aborts and cut < aborts.ratio else 0,
            turns=tuple(self._turns(streams[Stream.CONVERSATIONS])),
        )

    def _turns(self, uniform: Uniform) -> Iterator[int]:
        law = self._one.conversations
        if law is None or self._further is None:
            return
        low, high = law.turns
        for _ in range(low + int(uniform() * (high - low + 1)) - 1):
            yield _us(law.think_s, law.think_sigma, uniform())
            yield self._further(uniform())
            yield self._lengths(uniform(), uniform())[1]


def _both(one: WorkloadClass) -> Callable[[float, float], tuple[int, int]]:
    """Return the function that gives tokens in and out for two uniform numbers."""
    if isinstance(one.lengths, Pairs):
        pair = pair_of(one.lengths)
        return lambda u, _: pair(u)
    tokens_in, tokens_out = length_of(one.lengths.tokens_in), length_of(one.lengths.tokens_out)
    return lambda u, v: (tokens_in(u), tokens_out(v))


def _us(median_s: float, sigma: float, u: float) -> int:
    return round(min(median_s * lognormal(sigma, u), _LONGEST_S) * 1e6)


def _append(made: Columns, wish: Wish) -> None:
    made.class_at.append(wish.class_at)
    made.len_in.append(wish.len_in)
    made.len_out.append(wish.len_out)
    made.prefix_id.append(wish.prefix_id)
    made.patience_us.append(wish.patience_us)
    made.abort_after.append(wish.abort_after)
    made.turns.values.extend(wish.turns)
    if len(made.turns.values) > _TURN_VALUES * ARRIVALS_MAX:
        raise PlanError(f"conversations: found more than {ARRIVALS_MAX} further turns, allowed {ARRIVALS_MAX}")
    made.turns.starts.append(len(made.turns.values))
