"""Knows what the events of OpenAI chat and completions carry, with vLLM's own fields; refuses to know time.

Token-bearing, first rule that applies, per choice index: R-a token ids; R-b growth of the continuous usage; R-c text,
reasoning, refusal, audio or a tool call; R-d empty text of an engine that holds back bytes which are not yet UTF-8.

Subtle: some hosted APIs put the final usage beside the last choice. R-b therefore counts only in a stream whose every
output event so far told a count; else the last event would seem to hold all tokens.

Source: vLLM 0.32, entrypoints/openai/{chat_completion,completion}/serving.py and generate/base/protocol.py
(PerRequestMetrics); spec/measurement.md 5, 7, 13.
"""

from typing import Any, cast

import msgspec

from telemetry.events import (
    DONE,
    ERROR,
    EXACT,
    FINISH,
    OUTPUT,
    UNREAD,
    UNREADABLE,
    VISIBLE,
    EngineTimes,
    Tally,
    Usage,
    as_object,
    as_word,
    count,
    decoded,
    decoded_again,
    json_or_text,
    us_of_ms,
)
from telemetry.outcome import TokSource

CHOICES_MAX = 4096
"""Choices that are told apart; an index at or past it is counted with the last one."""


# Leaves are Any: what an engine puts there is judged here, and a surprise must not cost the whole event.
# gc=False: decoded JSON holds no cycles, and the collector need not look at a struct that lives for microseconds.
class _Delta(msgspec.Struct, gc=False):
    role: Any = None
    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    text: Any = None
    finish_reason: Any = None
    token_ids: Any = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None
    prompt_cache_hit_tokens: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    metrics: Any = None


_TEXT_KEYS = (b'"content":"', b'"text":"')
_decoder = msgspec.json.Decoder(_Chunk)
_decode = _decoder.decode


class OpenAiReader:
    """Reads one answer of OpenAI chat or completions.

    Args:
        n: Choices that the request asked for.
        echo: The first content of each choice repeats the prompt and is no output. vLLM joins the first token to it,
            which only a count (R-a, R-b) can tell.
        holds_utf8: The engine sends an empty text for a token whose bytes are not yet UTF-8 (R-d).
    """

    __slots__ = (
        "_bare",
        "_by_id",
        "_cumulative",
        "_echo",
        "_echoed",
        "_ended",
        "_final",
        "_holds_utf8",
        "_latest",
        "_metrics",
        "_n",
        "_seen",
        "counted",
        "error",
        "finished",
        "finishes",
        "text_keys",
        "tokens",
    )

    def __init__(self, *, n: int = 1, echo: bool = False, holds_utf8: bool = False) -> None:
        self.tokens = 0
        self.counted = False
        self.finishes: list[str] = []
        self.finished = 0
        self.error: object = None
        self.text_keys: tuple[bytes, ...] = _TEXT_KEYS
        self._n = n
        self._echo = echo
        self._holds_utf8 = holds_utf8
        self._bare = False  # an output event came without a count
        self._seen: dict[int, int] = {}  # tokens accounted for, by choice
        self._cumulative: dict[int, int] = {}
        self._by_id = 0
        self._echoed: set[int] = set()
        self._ended: set[int] = set()
        self._final: _Usage | None = None
        self._latest: _Usage | None = None
        self._metrics: object = None

    def read(self, name: bytes, data: bytes) -> int:
        """Return the marks of one event."""
        if data == b"[DONE]":
            return DONE
        try:
            chunk = _decode(data)
        except UNREAD:  # not `decoded`: a call less on the path of every chunk
            again = decoded_again(_decoder, data)
            if again is None:
                return self._unreadable(name, data)
            chunk = again
        self.tokens = 0
        marks = 0
        choices = chunk.choices
        usage = chunk.usage
        if choices:
            own = usage if len(choices) == 1 else None
            for choice in choices:
                marks |= self._choice(choice, own)
        if usage is not None or chunk.error is not None or chunk.metrics is not None or name:
            marks |= self._aside(name, data, chunk)
        return marks

    def read_body(self, body: bytes) -> int:
        """Return the marks of a whole unary body."""
        chunk = decoded(_decoder, body)
        if chunk is None:
            return UNREADABLE
        marks = 0
        for choice in chunk.choices or ():
            if choice.finish_reason is not None:
                marks |= self._finish(choice)
        self._final = chunk.usage
        self._metrics = chunk.metrics
        if chunk.error is not None:
            self.error = json_or_text(body)
            marks |= ERROR
        return marks

    def tally(self) -> Tally:
        """Return what the stream has told of tokens and engine times so far."""
        source, tokens_out = self._tokens_out()
        usage = self._final or (self._latest if self._n == 1 else None) or _Usage()
        prompt, answer = as_object(usage.prompt_tokens_details), as_object(usage.completion_tokens_details)
        cached = count(prompt.get("cached_tokens"))
        return Tally(
            source=source,
            times=_times(self._metrics),
            usage=Usage(
                tokens_in=count(usage.prompt_tokens),
                tokens_out=tokens_out,
                tokens_cache_read=count(usage.prompt_cache_hit_tokens) if cached is None else cached,
                tokens_cache_write=count(prompt.get("cache_write_tokens")),
                tokens_reasoning=count(answer.get("reasoning_tokens")),
            ),
        )

    def _choice(self, choice: _Choice, usage: _Usage | None) -> int:
        delta = choice.delta
        finish = choice.finish_reason
        text = choice.text if delta is None else delta.content
        marks = 0
        if choice.token_ids or usage is not None:
            marks = self._count(choice, usage)
        if self._echo and self._is_echo(choice, text):
            pass
        elif text:
            marks |= OUTPUT | EXACT | VISIBLE
        elif delta is not None and (more := _more(delta)):
            marks |= more
        elif text == "" and self._holds_utf8 and finish is None and (delta is None or not delta.role):
            marks |= OUTPUT
        if not self.counted and marks:
            self._bare = True
        if finish is not None:
            marks |= self._finish(choice)
        return marks

    def _count(self, choice: _Choice, usage: _Usage | None) -> int:
        index = _bounded(choice.index)
        seen = self._seen.get(index, 0)
        told = count(usage.completion_tokens) if usage is not None else None
        known = 0
        ids: object = choice.token_ids
        if isinstance(ids, list):
            known = len(cast("list[object]", ids))
            self._by_id += known
        elif told is not None and not self._bare:
            known = max(0, told - seen)
        if told is not None:
            self._cumulative[index] = told
        self._seen[index] = max(seen + known, told or 0)
        if not known:
            return 0
        self.tokens += known
        self.counted = True
        return OUTPUT | EXACT

    def _is_echo(self, choice: _Choice, text: object) -> bool:
        index = _bounded(choice.index)
        if text is None or index in self._echoed or (choice.delta is not None and choice.delta.role):
            return False
        self._echoed.add(index)
        return True

    def _finish(self, choice: _Choice) -> int:
        self._ended.add(_bounded(choice.index))
        self.finished = len(self._ended)
        word = as_word(choice.finish_reason)
        if word not in self.finishes and len(self.finishes) < CHOICES_MAX:
            self.finishes.append(word)
        return FINISH

    def _aside(self, name: bytes, data: bytes, chunk: _Chunk) -> int:
        if chunk.usage is not None:
            self._latest = chunk.usage
            if not chunk.choices or (self._n == 1 and chunk.choices[0].finish_reason is not None):
                self._final = chunk.usage
        if chunk.metrics is not None:
            self._metrics = chunk.metrics
        if chunk.error is None and name != b"error":
            return 0
        self.error = json_or_text(data)
        return ERROR

    def _unreadable(self, name: bytes, data: bytes) -> int:
        if name != b"error":
            return UNREADABLE
        self.error = json_or_text(data)
        return UNREADABLE | ERROR

    def _tokens_out(self) -> tuple[TokSource, int | None]:
        final = count(self._final.completion_tokens) if self._final is not None else None
        if final is not None:
            return TokSource.USAGE, final
        if self._cumulative:
            return TokSource.CUMULATIVE, sum(self._cumulative.values())
        if self._by_id:
            return TokSource.TOKEN_IDS, self._by_id
        return TokSource.NONE, None


def _more(delta: _Delta) -> int:
    if delta.refusal or delta.audio or _calls(delta.tool_calls) or _calls([{"function": delta.function_call}]):
        return OUTPUT | EXACT | VISIBLE
    return OUTPUT | EXACT if delta.reasoning or delta.reasoning_content else 0


def _calls(tool_calls: object) -> bool:
    if not isinstance(tool_calls, list):
        return False
    functions = (as_object(as_object(call).get("function")) for call in cast("list[object]", tool_calls))
    return any(function.get("name") or function.get("arguments") for function in functions)


def _bounded(index: int) -> int:
    return min(max(index, 0), CHOICES_MAX)


def _times(metrics: object) -> EngineTimes:
    told = as_object(metrics)
    return EngineTimes(
        queue_us=us_of_ms(told.get("queue_time_ms")),
        prefill_us=us_of_ms(told.get("time_to_first_token_ms")),
        decode_us=us_of_ms(told.get("generation_time_ms")),
        mean_itl_us=us_of_ms(told.get("mean_itl_ms")),
    )
