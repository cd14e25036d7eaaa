"""Knows the one list of arrivals that all workers of a run share; refuses to know how it was drawn, or who sends it.

Arrivals lie in columns: a million of them take 25 MB and no object each. Worker i of n executes those with
j mod n == i, so that the union is the plan for every n.

Source: spec/loadtest.md 2 (arrival plan, `plan_sha256`), 8 (turns), 14 (arms).
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from loadtest.errors import PlanMismatchError
from loadtest.plan_spec import PlanSpec, WorkloadClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One planned request.

    Attributes:
        j: Its number in the plan, from 0.
        t_sched_ns: When it arrives, nanoseconds after the start.
        workload_class: Name of its class.
        len_in: Tokens of the prompt, shared prefix included.
        len_out: Tokens of the answer that are asked for.
        nonce: 64 random bits that make its prompt unique.
        prefix_id: Which shared prefix it begins with; None if none.
        prefix_len: Tokens of that prefix; 0 without one.
        blocks: Ids of its 512-token blocks where a trace says them: equal ids are equal text.
        conversation: Number of the conversation that it opens; None if it stands alone.
        turn: Of that conversation, from 1. Only first turns have a planned time; see `Plan.follow_ups`.
        arm: Which target gets it, from 0.
        patience_s: Time without a visible token after which the user gives up; None never.
        abort_after_tokens: Cut on purpose after so many tokens; None if not planned.
    """

    j: int
    t_sched_ns: int
    workload_class: str
    len_in: int
    len_out: int
    nonce: int
    prefix_id: int | None = None
    prefix_len: int = 0
    blocks: tuple[int, ...] = ()
    conversation: int | None = None
    turn: int = 1
    arm: int = 0
    patience_s: float | None = None
    abort_after_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A further turn of a conversation.

    Attributes:
        turn: From 2.
        think_s: Time from the end of the answer before it.
        len_in: New tokens; the prompt also echoes all turns and real answers before it.
        len_out: Tokens of the answer that are asked for.
    """

    turn: int
    think_s: float
    len_in: int
    len_out: int


def _of(code: str) -> "array[int]":
    return array(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ragged:
    """Lists of different lengths, end to end: list j is `values[starts[j]:starts[j + 1]]`."""

    starts: "array[int]" = field(default_factory=lambda: _of("Q"))
    values: "array[int]" = field(default_factory=lambda: _of("Q"))

    def at(self, j: int) -> Sequence[int]:
        """Return list j; all are empty in an empty one."""
        return self.values[self.starts[j] : self.starts[j + 1]] if self.starts else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The arrivals, one array each; an empty one of those with a default says that no arrival has the thing.

    Attributes:
        t_sched_ns: i64, ascending.
        len_in: u32.
        len_out: u32.
        nonce: u64.
        class_at: Index of the class in the spec.
        prefix_id: Id of the shared prefix + 1; 0 is none.
        arm: Target.
        patience_us: Patience + 1; 0 is none.
        abort_after: Tokens; 0 is none.
        blocks: Block ids.
        turns: Further turns: think time in microseconds, tokens in, tokens out, and again.
    """

    t_sched_ns: "array[int]" = field(default_factory=lambda: _of("q"))
    len_in: "array[int]" = field(default_factory=lambda: _of("I"))
    len_out: "array[int]" = field(default_factory=lambda: _of("I"))
    nonce: "array[int]" = field(default_factory=lambda: _of("Q"))
    class_at: "array[int]" = field(default_factory=lambda: _of("B"))
    prefix_id: "array[int]" = field(default_factory=lambda: _of("I"))
    arm: "array[int]" = field(default_factory=lambda: _of("B"))
    patience_us: "array[int]" = field(default_factory=lambda: _of("Q"))
    abort_after: "array[int]" = field(default_factory=lambda: _of("I"))
    blocks: Ragged = field(default_factory=Ragged)
    turns: Ragged = field(default_factory=Ragged)


class Plan:
    """All arrivals of a run, in the order of their planned time.

    Args:
        spec: What they were built from.
        columns: The arrivals; not to be changed any more.
    """

    def __init__(self, spec: PlanSpec, columns: Columns) -> None:
        """Hash the arrivals."""
        self.spec = spec
        self._columns = columns
        self.sha256 = _hash(columns)

    def __len__(self) -> int:
        """Return the number of planned arrivals, further turns of conversations not included."""
        return len(self._columns.t_sched_ns)

    @property
    def len_in(self) -> Sequence[int]:
        """Tokens of each prompt."""
        return self._columns.len_in

    @property
    def len_out(self) -> Sequence[int]:
        """Tokens of each answer that are asked for."""
        return self._columns.len_out

    @property
    def t_sched_ns(self) -> Sequence[int]:
        """Planned times, nanoseconds after the start, ascending."""
        return self._columns.t_sched_ns

    def class_of(self, name: str) -> WorkloadClass:
        """Return the class of a name that an arrival carries."""
        return next(one for one in self.spec.classes if one.name == name)

    def arrival(self, j: int) -> Arrival:
        """Return arrival j, 0 <= j < len(plan)."""
        columns = self._columns
        kind = self.spec.classes[columns.class_at[j]] if columns.class_at else self.spec.classes[0]
        prefix_id, patience_us = _or_none(columns.prefix_id, j), _or_none(columns.patience_us, j)
        return Arrival(
            j=j,
            t_sched_ns=columns.t_sched_ns[j],
            workload_class=kind.name,
            len_in=columns.len_in[j],
            len_out=columns.len_out[j],
            nonce=columns.nonce[j],
            prefix_id=None if prefix_id is None else prefix_id - 1,
            prefix_len=kind.prefix.tokens if kind.prefix and prefix_id is not None else 0,
            blocks=tuple(columns.blocks.at(j)),
            conversation=j if kind.conversations else None,
            arm=columns.arm[j] if columns.arm else 0,
            patience_s=None if patience_us is None else (patience_us - 1) / 1e6,
            abort_after_tokens=_or_none(columns.abort_after, j),
        )

    def follow_ups(self, j: int) -> tuple[FollowUp, ...]:
        """Return the further turns of the conversation that arrival j opens; empty if it stands alone."""
        flat = self._columns.turns.at(j)
        return tuple(
            FollowUp(turn=2 + k // 3, think_s=flat[k] / 1e6, len_in=flat[k + 1], len_out=flat[k + 2])
            for k in range(0, len(flat), 3)
        )

    def mine(self, worker: int, workers: int) -> Iterator[Arrival]:
        """Return the arrivals of one worker, in order.

        Args:
            worker: Its number, 0 <= worker < workers.
            workers: How many share the plan.
        """
        return map(self.arrival, range(worker, len(self), workers))

    def must_be(self, expected_sha256: str) -> None:
        """Check that another process built the same arrivals.

        Raises:
            PlanMismatchError: It did not.
        """
        if self.sha256 != expected_sha256:
            raise PlanMismatchError(
                f"plan {self.sha256[:16]} here, {expected_sha256[:16]} at the master: versions differ?"
            )


def _or_none(column: "array[int]", j: int) -> int | None:
    return (column[j] or None) if column else None


def _hash(columns: Columns) -> str:
    digest = sha256()
    for column in (columns.t_sched_ns, columns.len_in, columns.len_out, columns.turns.values):
        digest.update(_little_endian(column))
    return digest.hexdigest()


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return column
    swapped = column[:]
    swapped.byteswap()
    return swapped
