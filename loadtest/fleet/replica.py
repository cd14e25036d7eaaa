"""Knows how one engine works off its queue in virtual time; refuses to know who fills the queue.

While no request comes, ends or leaves, a batch stays the same, so that k steps take

    k (alpha + b beta + gamma C) + gamma b k (k - 1) / 2        C tokens held at the first of them

and are taken at once. All requests that decode get one token in each step: a request that has its first token after
step n ends after step n + O - 1, so the batch is a heap of such numbers and nothing is done for each token. A step
with prompt chunks in it is taken alone. Between them lie 2 to 3 such jumps for each request.

`advance` may be called for any instant, the next one not before the last; what it finds does not depend on them.

Source: spec/scaling.md 7.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf, sqrt

from msgspec import Struct

from loadtest.fleet.engine import Engine
from loadtest.fleet.requests import End, Request
from loadtest.fleet.scheduler import Scheduler


class Load(Struct, frozen=True, kw_only=True):
    """What an engine says of itself at an instant.

    Attributes:
        running: Requests in the batch.
        waiting: Requests in the queue.
        waiting_prompt_tokens: Prompt tokens of those.
        kv_used_ratio: Share of the blocks that requests hold.
        busy_s: Time in steps since it began.
        preemptions: Requests that went back to the queue since it began.
        prompt_tokens: Tokens of prompts that it read since it began, those of the cache included.
        hit_tokens: Of them, from the cache.
    """

    running: int
    waiting: int
    waiting_prompt_tokens: int
    kv_used_ratio: float
    busy_s: float
    preemptions: int
    prompt_tokens: int
    hit_tokens: int


class Replica(Scheduler):
    """One engine; `queue` takes requests in the order in which they came, none later than the next `advance`."""

    def push(self, request: Request) -> None:
        """Take a request."""
        self.queue.append(request)
        self.open += 1
        self.next_s = min(self.next_s, request[0] + self.engine.front_s)
        wish = request[3]
        if wish is None or (wish.patience_s is None and wish.deadline_s is None):
            return
        self._alive[id(request)] = request
        for limit_s, only_first in ((wish.patience_s, True), (wish.deadline_s, False)):
            if limit_s is not None:
                self._watched += 1
                heappush(self._leaving, (request[0] + limit_s, self._watched, only_first, request))

    def extend(self, requests: Sequence[Request]) -> None:
        """Take requests, ascending."""
        if any([request[3] for request in requests]):  # noqa: C419 -- mostly none has one, and a list is read faster
            for request in requests:
                self.push(request)
        elif requests:
            self.queue.extend(requests)
            self.open += len(requests)
            self.next_s = min(self.next_s, requests[0][0] + self.engine.front_s)

    def advance(self, until_s: float) -> None:  # noqa: C901, PLR0912, PLR0915 -- calls would cost half of its time again
        """Work until an instant; what ended lies in `ended`."""
        engine, queue, decoding, filling = self.engine, self.queue, self._decoding, self._filling
        alpha, beta, gamma = engine.alpha_s, engine.beta_s, engine.gamma_s
        request_s, front_s = engine.request_s, engine.front_s
        seqs_max, tokens_max, block = engine.seqs_max, engine.batched_tokens_max, engine.block_tokens
        prefixes, ended, ok = self._prefixes, self.ended, End.OK
        leaving, resumed, busy_s, read = self._leaving, self._resumed, self._busy_s, 0
        room = engine.kv_tokens if prefixes is None else engine.kv_tokens + prefixes.excess
        gone, before = self._gone, len(ended)
        t, n, b, context, next_s = self._t_s, self._steps, self._batch, self._context, inf
        is_calm = not resumed and self._partial is None
        while t <= until_s:
            if leaving and leaving[0][0] <= t:
                self._stand(t, n, b, context)
                self._leave(t)
                b, context, is_calm = self._batch, self._context, not resumed and self._partial is None
            while decoding and decoding[0][0] <= n:
                _, sequence, base, first_s, request = heappop(decoding)
                b -= 1
                context -= base + n
                ended.append((request, first_s, t, ok))
                if prefixes is not None or request[3] is not None:
                    self._stand(t, n, b, context)
                    self._release(request, sequence, base + n)
            if filling:
                for request, sequence, given_s, given in filling:
                    first_s = t if given_s is None else given_s
                    held = request[1] + given
                    left = request[2] - given - 1
                    if prefixes is not None:
                        prefixes.keep(request, sequence)
                    if left > 0:
                        heappush(decoding, (n + left, sequence, held - n, first_s, request))
                        b += 1
                        context += held
                    else:
                        ended.append((request, first_s, t, ok))
                        if prefixes is not None or request[3] is not None:
                            self._stand(t, n, b, context)
                            self._release(request, sequence, held)
                filling.clear()
            tokens, is_plain = 0, is_calm
            if is_plain:
                # Subtle: block tokens on top for each request, so that whatever the parts of blocks, they fit.
                free = room - context - (b + 1) * block
                while queue and queue[0][0] + front_s <= t and b + len(filling) < seqs_max:
                    request = queue[0]
                    need = request[1]
                    free -= need + block
                    special = prefixes is not None or request[3] is not None or gone
                    if free < 0 or special or tokens + need > tokens_max - b:
                        is_plain = False
                        break
                    queue.popleft()
                    self._sequence += 1
                    filling.append((request, self._sequence, None, 0))
                    tokens += need
            if not is_plain:
                self._stand(t, n, b, context)
                tokens = self._schedule(tokens)
                b, context, is_calm = self._batch, self._context, not resumed and self._partial is None
                if prefixes is not None:
                    room = engine.kv_tokens + prefixes.excess
            if tokens or filling:
                step_s = alpha + b * beta + gamma * context + len(filling) * request_s
                extra_s = tokens * engine.prefill_s - engine.hidden_s
                if extra_s > 0.0:
                    step_s += extra_s
                t += step_s
                busy_s += step_s
                read += tokens
                n += 1
                context += b
            elif b:
                k = decoding[0][0] - n
                first_s, half_s = alpha + b * beta + gamma * context, gamma * b / 2
                jump_s = k * (first_s + half_s * (k - 1))
                cut_s = queue[0][0] + front_s if queue and b < seqs_max and not resumed else inf
                if leaving:
                    leave_s = self._next_leave_s()
                    cut_s = leave_s if cut_s <= t else min(cut_s, leave_s)
                if t < cut_s < t + jump_s:
                    # The least k that reaches the cut: k (first + half (k - 1)) = distance, solved for k.
                    distance_s, a = cut_s - t, first_s - half_s
                    exact = 2 * distance_s / (a + sqrt(a * a + 4 * half_s * distance_s))
                    k = int(exact)
                    if k < exact:
                        k += 1
                    jump_s = k * (first_s + half_s * (k - 1))
                is_begun = False
                if not is_plain or context + (k + block) * b > room:
                    self._stand(t, n, b, context)
                    k = self._fitting(k)
                    b, context, is_calm = self._batch, self._context, not resumed and self._partial is None
                    first_s, half_s = alpha + b * beta + gamma * context, gamma * b / 2
                    if self._is_put_back:  # the step is begun: whoever looks again must not find it undone
                        self._is_put_back, is_begun, k = False, True, 1
                    jump_s = k * (first_s + half_s * (k - 1))
                if t + jump_s > until_s and not is_begun:
                    next_s = t + jump_s
                    break
                t += jump_s
                busy_s += jump_s
                n += k
                context += k * b
            elif queue and queue[0][0] + front_s > t:
                t = queue[0][0] + front_s
            else:
                break
        self._stand(t, n, b, context)
        self._busy_s = busy_s
        self.prompt_tokens += read
        self.next_s = t if t > until_s else next_s
        self.open -= len(ended) - before

    def leave(self, request: Request, at_s: float) -> None:
        """Let the client of a request that has not ended leave, not before the last `advance`."""
        self._alive[id(request)] = request
        self._watched += 1
        heappush(self._leaving, (at_s, self._watched, False, request))
        self.next_s = min(self.next_s, at_s)

    def become(self, engine: Engine, now_s: float) -> None:
        """Step like another engine, with a cache of the same size, from an instant that it has advanced to."""
        batch, k = self._batch, self._ahead(now_s)
        if k > 0:  # the steps that have passed were those of the engine so far
            took_s = k * self.engine.step_s(batch, self._context / batch)
            took_s += self.engine.gamma_s * batch * k * (k - 1) / 2
            self._stand(self._t_s + took_s, self._steps + k, batch, self._context + k * batch)
            self._busy_s += took_s
        self.engine = engine
        self.next_s = min(self.next_s, self._t_s)

    def given(self, now_s: float) -> list[tuple[Request, int]]:
        """Return the tokens of each request that decodes, at an instant that it has advanced to."""
        steps = self._steps + self._ahead(now_s)
        return [(one[4], one[4][2] - one[0] + steps) for one in self._decoding]

    def step_end_s(self, now_s: float) -> float:
        """Return when the step ends that runs at an instant that it has advanced to; infinite at rest."""
        if self._t_s > now_s:
            return self._t_s
        if not self._batch:
            return inf
        k = self._ahead(now_s) + 1
        first_s = self.engine.step_s(self._batch, self._context / self._batch)
        return self._t_s + k * first_s + self.engine.gamma_s * self._batch * k * (k - 1) / 2

    def load(self, now_s: float) -> Load:
        """Return what the engine says at an instant that it has advanced to."""
        inside = len(self._filling) + (self._partial is not None)
        batch = self._batch
        shared = self._prefixes.excess if self._prefixes is not None else 0
        held = self._blocks(self._ahead(now_s)) * self.engine.block_tokens - shared
        waiting = [request for request in self.queue if id(request) not in self._gone]
        return Load(
            running=batch + inside,
            waiting=len(waiting) + len(self._resumed),
            waiting_prompt_tokens=sum([one[1] for one in waiting] + [one[0][1] + one[2] for one in self._resumed]),
            kv_used_ratio=held / self.engine.kv_tokens,
            busy_s=self._busy_s + (now_s - self._t_s if batch or inside else 0.0),
            preemptions=self.preemptions,
            prompt_tokens=self.prompt_tokens + self.hit_tokens,
            hit_tokens=self.hit_tokens,
        )

    def fail(self, at_s: float) -> None:
        """Lose all requests at an instant that it has advanced to."""
        inside = [(one[4], one[3]) for one in self._decoding] + [(one[0], one[2]) for one in self._filling]
        inside += [(one[0], one[1]) for one in self._resumed]
        inside += [(request, None) for request in self.queue if id(request) not in self._gone]
        if self._partial is not None:
            inside.append((self._partial.filling[0], self._partial.filling[2]))
        self.ended += [(request, first_s, at_s, End.LOST) for request, first_s in inside]
        for held in (self.queue, self._decoding, self._filling, self._resumed, self._leaving, self._gone, self._alive):
            held.clear()
        self._batch = self._context = self.open = 0
        self._partial, self.next_s = None, inf

    def _ahead(self, now_s: float) -> int:
        """Return the steps that have passed since the last one that was taken; -1 while that one still runs."""
        passed_s = now_s - self._t_s
        if passed_s < 0:
            return -1
        if not self._batch:
            return 0
        # k first + k (k - 1) half = passed, solved for k; a hair more, so that a step is over at its own end.
        half_s = self.engine.gamma_s * self._batch / 2
        a = self.engine.step_s(self._batch, self._context / self._batch) - half_s
        return int(2 * passed_s / (a + sqrt(a * a + 4 * half_s * passed_s)) + 1e-6)
