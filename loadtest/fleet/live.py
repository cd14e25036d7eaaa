"""Knows one simulated engine in real time: who asks, which tokens are out; refuses to know clocks and connections.

It is the same engine as in virtual time, asked at every end of a step for the tokens that are out by then, so that what
is calibrated for one face holds for the other.

Source: spec/scaling.md 7; vLLM, vllm/v1/metrics/loggers.py (which figures are counted when).
"""

from dataclasses import dataclass, field

from loadtest.fleet.page import Counts, Shown
from loadtest.fleet.replica import Load, Replica
from loadtest.fleet.requests import End, Ended, Request


@dataclass(slots=True, kw_only=True, eq=False)
class Talk:
    """A request that is being answered.

    Attributes:
        request: What was asked.
        live: Who answers it.
        tokens: Of the answer, so far.
        told_s: When the last of them came, or the request.
        end: How it ended; None before.
    """

    request: Request
    live: "Live"
    tokens: int = 0
    told_s: float
    end: End | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Live:
    """One engine; times never go back from call to call.

    Attributes:
        replica: What it steps like.
        counts: What it counts for its page of metrics.
        ended: What ended in the last move.
    """

    replica: Replica
    counts: Counts = field(default_factory=Counts)
    ended: list[Ended] = field(default_factory=list[Ended])
    _talks: dict[int, Talk] = field(default_factory=dict[int, Talk])

    def ask(self, tokens_in: int, tokens_out: int, now_s: float) -> Talk:
        """Take a request."""
        request = (now_s, tokens_in, tokens_out, None)
        self.replica.push(request)
        return self.taken(request)

    def taken(self, request: Request) -> Talk:
        """Return the talk of a request that its replica has got."""
        talk = Talk(request=request, live=self, told_s=request[0])
        self._talks[id(request)] = talk
        return talk

    def leave(self, talk: Talk, now_s: float) -> None:
        """Let a client go, at an instant that it moved to; one whose answer has ended may go as well."""
        if talk.end is None:
            self.replica.leave(talk.request, now_s)

    def move(self, now_s: float) -> list[Talk]:
        """Move to an instant, and return those that have more tokens, or an end, than before."""
        self.replica.advance(now_s)
        news = [self._told(self._talks[id(request)], tokens, now_s) for request, tokens in self.replica.given(now_s)]
        self.ended, self.replica.ended[:] = list(self.replica.ended), []
        for request, first_s, end_s, how in self.ended:
            talk = self._talks.pop(id(request))
            if how is End.OK:
                self._told(talk, request[2], now_s)
            talk.end = how
            self.counts.end(request, first_s, end_s, how)
            news.append(talk)
        return [talk for talk in news if talk is not None]

    def next_s(self, now_s: float) -> float:
        """Return when there may be news, if nobody asks; infinite at rest."""
        return self.replica.step_end_s(now_s)

    def load(self, now_s: float) -> Load:
        """Return what it says of itself at an instant that it moved to."""
        return self.replica.load(now_s)

    def shown(self, now_s: float) -> Shown:
        """Return what stands on its page at an instant that it moved to."""
        return self.counts, self.replica.engine, self.load(now_s)

    def _told(self, talk: Talk, tokens: int, now_s: float) -> Talk | None:
        """Note the tokens that are out; None if there are no more than before."""
        more = tokens - talk.tokens
        if more <= 0:
            return None
        self.counts.tokens(talk.request, more, now_s - talk.told_s, is_first=not talk.tokens)
        talk.tokens, talk.told_s = tokens, now_s
        return talk
