"""Knows how a planned arrival becomes a request; refuses to send it.

The text is made anew for each request and kept nowhere.

Source: spec/loadtest.md 8 (exact output length by `ignore_eos`, usage), 9 (patience, planned aborts); OpenAI API
reference (chat completions, completions); vLLM 0.32 protocol.py (`ignore_eos`, `priority`).
"""

from collections.abc import Sequence

import msgspec

from loadtest.client import Ask
from loadtest.plan import Arrival, FollowUp, Plan
from loadtest.prompts import Writer
from loadtest.run_spec import Api, RunSpec
from loadtest.waits import ENDLESS, Patience
from telemetry.dialects import RequestShape

_PATHS = {Api.CHAT: "/v1/chat/completions", Api.COMPLETIONS: "/v1/completions"}


class Asker:
    """Makes the requests of a run.

    Attributes:
        shape: What each of them asks for.

    Args:
        run: Where and how.
        plan: What.
    """

    def __init__(self, run: RunSpec, plan: Plan) -> None:
        """Make the text that prompts are cut from."""
        self._run, self._plan = run, plan
        self._writer = Writer(run.plan.seed, run.calibration, run.salt)
        self.shape = RequestShape(
            api=run.api.value, model=run.model, stream=True, include_usage=run.include_usage, engine=run.engine
        )

    def prompt(self, arrival: Arrival) -> str:
        """Return the text of a first turn."""
        return self._writer.prompt(arrival)

    def follow_up(self, arrival: Arrival, turn: FollowUp) -> str:
        """Return the new text of a further turn of the conversation that an arrival opens."""
        return self._writer.follow_up(arrival, turn.turn, turn.len_in)

    def probe(self, words: int) -> Ask:
        """Return the request of a prompt of so many words like no other, for an answer of one token."""
        said = [self._writer.unique(words, words)]
        return Ask(path=_PATHS[self._run.api], body=msgspec.json.encode(self._body(said, 1)), shape=self.shape)

    def ask(self, arrival: Arrival, said: Sequence[str], t_sched_ns: int | None, *, keeps_body: bool = False) -> Ask:
        """Return the request of a turn.

        Args:
            arrival: Of the plan, with the length of the answer that this turn asks for.
            said: What was said so far, user and assistant in turn, the new prompt last.
            t_sched_ns: Its planned time, monotonic; None for a further turn, which nobody planned.
            keeps_body: The answer is needed for a further turn.
        """
        body = self._body(said, arrival.len_out)
        if self._run.ignore_eos:
            body["ignore_eos"] = True
        kind = self._plan.class_of(arrival.workload_class)
        if kind.priority is not None:
            body["priority"] = kind.priority
        gap_s = kind.patience.gap_s if kind.patience else None
        is_endless = arrival.patience_s is None and gap_s is None
        return Ask(
            path=_PATHS[self._run.api],
            body=msgspec.json.encode(body),
            shape=self.shape,
            t_sched_ns=t_sched_ns,
            patience=ENDLESS if is_endless else Patience(visible_s=arrival.patience_s, gap_s=gap_s),
            abort_after=arrival.abort_after_tokens,
            keeps_body=keeps_body,
        )

    def _body(self, said: Sequence[str], len_out: int) -> dict[str, object]:
        body: dict[str, object] = {"model": self._run.model, "max_tokens": len_out, "stream": True}
        body |= {"messages": _messages(said)} if self._run.api is Api.CHAT else {"prompt": "\n".join(said)}
        if self._run.include_usage:
            body["stream_options"] = {"include_usage": True}
        return body


def _messages(said: Sequence[str]) -> list[dict[str, str]]:
    return [{"role": _ROLES[number % 2], "content": text} for number, text in enumerate(said)]


_ROLES = ("user", "assistant")
