"""Knows the rules by which one engine fills its steps; refuses to know how many steps pass between two of them.

The rules are those of vLLM's scheduler: first come, first served; requests that run come before those that wait; a
step has room for `batched_tokens_max` tokens, so that long prompts are read in chunks; without a free block the last
request that was admitted goes back to the head of the queue and is computed anew, and that step admits none.

Source: spec/scaling.md 7; vLLM, vllm/v1/core/sched/scheduler.py (schedule, preemption) and kv_cache_manager.py.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop
from math import inf

from loadtest.fleet.engine import Engine
from loadtest.fleet.prefixes import Prefixes
from loadtest.fleet.requests import End, Ended, Request

_Decoding = tuple[int, int, int, float, Request]
"""(last step, sequence, tokens held less steps done, first_s, request)."""
_Filling = tuple[Request, int, float | None, int]
"""(request, sequence, first_s, tokens already given): its prompt is read to the end in this step."""
_Resumed = tuple[Request, float | None, int]
"""(request, first_s, tokens already given): computed anew, with what it had given as part of the prompt."""


@dataclass(slots=True)
class _Partial:
    """A prompt of which a part is read."""

    filling: _Filling
    done: int

    @property
    def target(self) -> int:
        return self.filling[0][1] + self.filling[3]


class Scheduler:
    """What one engine holds, at the end of a step, and its rules; `loadtest.fleet.replica` moves it through time."""

    next_s: float
    """Until then nothing ends or begins, if nothing comes."""
    open: int
    """Requests that came and have not ended."""
    preemptions: int
    """Requests that were put back since it began."""
    prompt_tokens: int
    """Tokens of prompts that it computed since it began."""
    hit_tokens: int
    """Those that it had not to compute."""
    _t_s: float  # end of the step that is executed
    _busy_s: float
    _steps: int
    _batch: int  # requests that decode
    _context: int  # tokens that they hold
    _sequence: int
    _watched: int

    def __init__(self, engine: Engine, start_s: float = 0.0, *, is_caching: bool = False) -> None:
        """Start empty.

        Args:
            engine: What it steps like.
            start_s: When it may begin.
            is_caching: Whether it keeps the beginnings of prompts; without requests that share one it costs time only.
        """
        self.engine = engine
        self.queue: deque[Request] = deque()
        self.ended: list[Ended] = []
        """What ended, for the caller to take away."""
        self.next_s = inf
        self.open = self.preemptions = self.prompt_tokens = self.hit_tokens = 0
        self._t_s = start_s
        self._steps = self._sequence = self._watched = 0
        self._batch = self._context = 0
        self._decoding: list[_Decoding] = []
        self._filling: list[_Filling] = []
        self._partial: _Partial | None = None
        self._resumed: list[_Resumed] = []
        self._busy_s = 0.0
        self._prefixes = Prefixes(engine.block_tokens) if is_caching else None
        self._leaving: list[tuple[float, int, bool, Request]] = []  # (when, number, only without a token, request)
        self._alive: dict[int, Request] = {}  # by id(), of those that may leave
        self._gone: set[int] = set()  # of them, those that left and are still in the queue
        self._is_put_back = False  # in this step, which then admits none

    def _stand(self, t_s: float, steps: int, batch: int, context: int) -> None:
        """Stand at the end of a step."""
        self._t_s, self._steps, self._batch, self._context = t_s, steps, batch, context

    def _schedule(self, tokens: int) -> int:
        """Fill a step by all rules, and return its prompt tokens; nothing where those that decode do not fit."""
        free = self._free_blocks()
        if free < 0:
            return tokens
        budget = self.engine.batched_tokens_max - self._batch
        if self._partial is not None:
            tokens, free = self._read_on(self._partial, budget, free)
        while self._partial is None and not self._is_put_back and tokens < budget:
            candidate = self._candidate()
            if candidate is None or self._batch + len(self._filling) >= self.engine.seqs_max:
                break
            read, free = self._admit(candidate, budget - tokens, free)
            if not read:
                break
            tokens += read
        if self._prefixes is not None:
            self._prefixes.squeeze(free * self.engine.block_tokens)
        return tokens

    def _read_on(self, partial: _Partial, budget: int, free: int) -> tuple[int, int]:
        """Read more of a prompt, or put it back; return the tokens read and the blocks left."""
        done = min(partial.target, partial.done + budget)
        block = self.engine.block_tokens
        free -= -(-done // block) - -(-partial.done // block)
        if free < 0:
            self._put_back()
            return 0, self._free_blocks()
        tokens, partial.done = done - partial.done, done
        if done == partial.target:
            self._filling.append(partial.filling)
            self._partial = None
        return tokens, free

    def _candidate(self) -> _Resumed | None:
        """Return who is next, as what it is computed from."""
        if self._resumed:
            return self._resumed[-1]
        queue, front_s = self.queue, self.engine.front_s
        while queue and queue[0][0] + front_s <= self._t_s:
            request = queue[0]
            if id(request) in self._gone:
                self._gone.remove(id(queue.popleft()))
            elif request[1] + request[2] - 1 > self.engine.kv_tokens:  # the last token is never held
                self.ended.append((queue.popleft(), None, self._t_s, End.TOO_LONG))
                self._alive.pop(id(request), None)
            else:
                return request, None, 0
        return None

    def _admit(self, candidate: _Resumed, budget: int, free: int) -> tuple[int, int]:
        """Begin to read a prompt if it fits; return the tokens read, 0 if not, and the blocks left."""
        request, first_s, given = candidate
        block, prefixes = self.engine.block_tokens, self._prefixes
        hits, idle = prefixes.found(request) if prefixes is not None else (0, 0)
        target = request[1] + given
        done = min(target, hits + budget)
        left = free + (hits - idle) // block - -(-done // block)
        if left < 0:
            return 0, free
        self._sequence += 1
        if prefixes is not None:
            prefixes.take(request, self._sequence)
        if self._resumed:
            self._resumed.pop()
        else:
            self.queue.popleft()
        self.hit_tokens += hits
        filling = (request, self._sequence, first_s, given)
        if done == target:
            self._filling.append(filling)
        else:
            self._partial = _Partial(filling, done)
        return done - hits, left

    def _fitting(self, steps: int) -> int:
        """Return how many steps those that decode have room for; if for none, make room for one."""
        if self._free_blocks() < 0:
            while self._free_blocks() < 0:
                self._put_back()
            return 1
        room = self._free_blocks() + self._blocks(1)
        return bisect_right(range(1, steps + 1), room, key=self._blocks)

    def _put_back(self) -> None:
        """Put the request that was admitted last at the head of the queue."""
        self._is_put_back = True
        if self._partial is not None:
            (request, sequence, first_s, given), held = self._partial.filling, self._partial.done
            self._partial = None
        else:
            victim = max(self._decoding, key=lambda one: one[1])
            last, sequence, base, first_s, request = victim
            held, given = base + self._steps, request[2] - (last - self._steps)
            self._remove(victim)
            if not self._decoding:
                self.ended.append((request, first_s, self._t_s, End.TOO_LONG))
                self._release(request, sequence, held)
                return
        self.preemptions += 1
        self._resumed.append((request, first_s, given))
        if self._prefixes is not None:
            self._prefixes.release(sequence, held)

    def _remove(self, one: _Decoding) -> None:
        self._decoding.remove(one)
        heapify(self._decoding)
        self._batch -= 1
        self._context -= one[2] + self._steps

    def _blocks(self, steps: int) -> int:
        """Return the blocks held after so many steps of those that decode, shared ones once for each user."""
        block, after = self.engine.block_tokens, self._steps + steps - 1
        held = sum([(one[2] + after) // block for one in self._decoding]) + len(self._decoding)
        held += sum([(one[0][1] + one[3] - 1) // block + 1 for one in self._filling])
        return held + (-(-self._partial.done // block) if self._partial is not None else 0)

    def _free_blocks(self) -> int:
        """Return the blocks that are left once those that decode have their next token."""
        excess = self._prefixes.excess if self._prefixes is not None else 0
        return self.engine.kv_blocks + excess // self.engine.block_tokens - self._blocks(1)

    def _release(self, request: Request, sequence: int, held: int) -> None:
        """Let go of what a request that ended held."""
        self._alive.pop(id(request), None)
        if self._prefixes is not None:
            engine = self.engine
            free = (
                engine.kv_tokens + self._prefixes.excess - self._context - held - self._batch * engine.block_tokens // 2
            )
            self._prefixes.squeeze(free)
            self._prefixes.release(sequence, held)

    def _leave(self, now_s: float) -> None:
        """Let clients leave that wanted to by an instant."""
        while self._leaving and self._leaving[0][0] <= now_s:
            when_s, _, only_first, request = heappop(self._leaving)
            if id(request) in self._alive:
                first_s, is_gone = self._drop(request, only_first=only_first)
                if is_gone:
                    del self._alive[id(request)]
                    self.ended.append((request, first_s, when_s, End.ABANDONED))

    def _next_leave_s(self) -> float:
        while self._leaving and id(self._leaving[0][3]) not in self._alive:
            heappop(self._leaving)
        return self._leaving[0][0] if self._leaving else inf

    def _drop(self, request: Request, *, only_first: bool) -> tuple[float | None, bool]:
        """Take out a request whose client leaves; return when its first token came, and whether it was taken out.

        Args:
            request: It has not ended.
            only_first: The client stays if it has a token.
        """
        first_s, where = self._whereabouts(request)
        if first_s is not None and only_first:
            return first_s, False
        if where is None:
            self._gone.add(id(request))
            return None, True
        sequence, held = where
        if sequence and self._prefixes is not None:
            self._prefixes.release(sequence, held)
        for one in [one for one in self._decoding if one[4] is request]:
            self._remove(one)
        self._filling[:] = [one for one in self._filling if one[0] is not request]
        self._resumed[:] = [one for one in self._resumed if one[0] is not request]
        if self._partial is not None and self._partial.filling[0] is request:
            self._partial = None
        return first_s, True

    def _whereabouts(self, request: Request) -> tuple[float | None, tuple[int, int] | None]:
        """Return when a request's first token came, and its sequence and tokens held; None in the queue."""
        for _, sequence, base, first_s, one in self._decoding:
            if one is request:
                return first_s, (sequence, base + self._steps)
        reading = [(one, one[0][1] + one[3]) for one in self._filling]
        if self._partial is not None:
            reading.append((self._partial.filling, self._partial.done))
        for filling, held in reading:
            if filling[0] is request:
                return filling[2], (filling[1], held)
        for resumed in self._resumed:
            if resumed[0] is request:
                return resumed[1], (0, 0)
        return None, None
