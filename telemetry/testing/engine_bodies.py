"""Knows the bodies of vLLM's OpenAI-compatible server: answers, stream events, errors, the model list.

Refuses to know sockets and time. Field order and defaults are those of the real server, so that sizes are true too.

Source: answers of vLLM 0.32.0 (CPU build) to raw requests, recorded 2026-11-24; error types and texts of that
version: vllm/exceptions.py (QueueOverflowError), entrypoints/serve/exception_handling/error_response.py,
entrypoints/serve/middleware/authenticate.py, entrypoints/openai/chat_completion/serving.py (an error frame in a stream
is followed by `[DONE]`). vLLM itself never answers 429: that body has the shape which its `GracefulHTTPError` gives to
any status.
"""

from http import HTTPStatus

import msgspec

MODEL = "simulated-llama"
VERSION = "0.32.0+simulated"
FINGERPRINT = "inferometer-simulated"
MODEL_TOKENS_MAX = 32 * 1024
"""Longest prompt and answer together, as the model list tells it."""
DONE = b"data: [DONE]\n\n"
_WORDS = ("the", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", ".")

Fields = dict[str, object]


class StreamOptions(msgspec.Struct):
    """The request's `stream_options`."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


class Message(msgspec.Struct):
    """One chat message; content may be parts."""

    role: str
    content: str | list[dict[str, object]] | None = None


class Ask(msgspec.Struct):
    """What the simulated engine reads of a request; other fields are ignored."""

    model: str = MODEL
    messages: list[Message] | None = None
    prompt: str | list[object] = ""
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None

    @property
    def tokens_in(self) -> int:
        """Prompt length by the rule of thumb of four bytes a token; at least 1."""
        text = "".join(str(message.content) for message in self.messages or ()) or str(self.prompt)
        return max(1, len(text.encode()) // 4)

    @property
    def tokens_out(self) -> int:
        """Answer length: what was asked for, 16 by default as in vLLM's completions."""
        return self.max_completion_tokens or self.max_tokens or 16

    @property
    def include_usage(self) -> bool:
        """A usage chunk ends the stream."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def continuous_usage(self) -> bool:
        """Every chunk carries the usage so far."""
        return self.include_usage and self.stream_options is not None and self.stream_options.continuous_usage_stats


class Answer:
    """One answer of one API, event by event or whole."""

    def __init__(self, ask: Ask, *, is_chat: bool, ident: str, created_unix_s: int) -> None:
        """Fix what all events of the answer share."""
        self._ask = ask
        self._is_chat = is_chat
        self._ident = ("chatcmpl-" if is_chat else "cmpl-") + ident
        self._created_unix_s = created_unix_s

    def role(self) -> bytes:
        """Return the chunk that opens a chat stream; b"" for completions, which have none."""
        if not self._is_chat:
            return b""
        choice: Fields = {"index": 0, "delta": {"role": "assistant", "content": ""}}
        choice |= {"logprobs": None, "finish_reason": None}
        return self._event([choice], 0, {"prompt_token_ids": None, "prompt_text": None})

    def token(self, number: int) -> bytes:
        """Return the chunk of a token, counted from 0; the last one carries the finish reason, as in vLLM."""
        is_last = number == self._ask.tokens_out - 1
        text, finish = _word(number), "length" if is_last else None
        if not self._is_chat:
            choice: Fields = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
            choice |= {"stop_reason": None, "prompt_token_ids": None, "token_ids": None}
        else:
            choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}
            choice |= ({"stop_reason": None} if is_last else {}) | {"token_ids": None}
        tail: Fields = {"system_fingerprint": FINGERPRINT} if is_last and not self._ask.include_usage else {}
        return self._event([choice], number + 1, tail)

    def usage(self) -> bytes:
        """Return the last chunk before `[DONE]`, b"" if it was not asked for."""
        if not self._ask.include_usage:
            return b""
        tail: Fields = {"choices": list[Fields](), "usage": self._usage(self._ask.tokens_out)}
        return _frame(self._head(".chunk") | tail | {"system_fingerprint": FINGERPRINT})

    def whole(self) -> bytes:
        """Return the body of an answer that is not streamed."""
        text = "".join(_word(number) for number in range(self._ask.tokens_out))
        choice: Fields = {"index": 0}
        choice |= _message(text) if self._is_chat else {"text": text}
        choice |= {"logprobs": None, "finish_reason": "length", "stop_reason": None, "token_ids": None}
        usage: Fields = self._usage(self._ask.tokens_out)
        usage |= {"prompt_tokens_details": None, "completion_tokens_details": None}
        fields: Fields = self._head("") | {"choices": [choice], "service_tier": None}
        return _json(fields | {"system_fingerprint": FINGERPRINT, "usage": usage, "metrics": None})

    def _event(self, choices: list[Fields], tokens_out: int, tail: Fields) -> bytes:
        usage: Fields = {}
        if self._ask.continuous_usage:
            usage = {"usage": self._usage(tokens_out) | {"completion_tokens_details": None}}
        return _frame(self._head(".chunk") | {"choices": choices} | usage | tail)

    def _head(self, suffix: str) -> Fields:
        kind = f"chat.completion{suffix}" if self._is_chat else "text_completion"
        return {"id": self._ident, "object": kind, "created": self._created_unix_s, "model": self._ask.model}

    def _usage(self, tokens_out: int) -> Fields:
        tokens_in = self._ask.tokens_in
        return {"prompt_tokens": tokens_in, "total_tokens": tokens_in + tokens_out, "completion_tokens": tokens_out}


def error(status: int, message: str, *, kind: str, param: str | None = None) -> bytes:
    """Return an error body."""
    return _json({"error": {"message": message, "type": kind, "param": param, "code": status}})


def model_missing(model: str) -> bytes:
    """Return the body of a 404 for an unknown model."""
    message = f"The model `{model}` does not exist. Valid aliases: {MODEL}."
    return error(HTTPStatus.NOT_FOUND, message, kind="NotFoundError", param="model")


def too_long(tokens_in: int) -> bytes:
    """Return the body of a 400 for a prompt and answer above the context length."""
    message = (
        f"This model's maximum context length is {MODEL_TOKENS_MAX} tokens. However, your prompt contains {tokens_in} "
        "tokens. Please reduce the length of the input prompt."
    )
    return error(HTTPStatus.BAD_REQUEST, message, kind="BadRequestError", param="input_text")


def unreadable(reason: str) -> bytes:
    """Return the body of a 400 for a request that is not JSON or not the expected object."""
    return error(HTTPStatus.BAD_REQUEST, f"1 validation error:\n  {reason}", kind="Bad Request", param="body")


def failure(status: HTTPStatus) -> bytes:
    """Return the body of a simulated failure with that status."""
    if status is HTTPStatus.UNAUTHORIZED:
        return _json({"error": "Unauthorized"})
    kind, message, param = _FAILURES[status]
    return error(status, message, kind=kind, param=param)


def error_frame() -> bytes:
    """Return the event by which vLLM reports a failure in the middle of a stream."""
    return b"data: " + failure(HTTPStatus.INTERNAL_SERVER_ERROR) + b"\n\n"


def detail(text: str) -> bytes:
    """Return the body of a path or method that is not served."""
    return _json({"detail": text})


def models(created_unix_s: int) -> bytes:
    """Return the model list."""
    model: Fields = {"id": MODEL, "object": "model", "created": created_unix_s, "owned_by": "inferometer-simulated"}
    model |= {"root": MODEL, "parent": None, "max_model_len": MODEL_TOKENS_MAX, "permission": []}
    return _json({"object": "list", "data": [model]})


def version() -> bytes:
    """Return the version page, which says that nothing here is real."""
    return _json({"version": VERSION, "simulated": True})


_FAILURES: dict[HTTPStatus, tuple[str, str, str | None]] = {
    HTTPStatus.BAD_REQUEST: (
        "BadRequestError",
        "temperature must be non-negative, got -1.0. (parameter=temperature, value=-1.0)",
        "temperature",
    ),
    HTTPStatus.NOT_FOUND: ("NotFoundError", "The model `other` does not exist.", "model"),
    HTTPStatus.TOO_MANY_REQUESTS: ("Too Many Requests", "Rate limit reached. Please try again later.", None),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("InternalServerError", "Internal server error", None),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Service Unavailable",
        (
            "The engine is currently busy and cannot accept new requests. "
            "Please try again later or on a different instance."
        ),
        None,
    ),
}


def _message(text: str) -> Fields:
    message: Fields = {"role": "assistant", "content": text, "refusal": None, "annotations": None, "audio": None}
    return {"message": message | {"function_call": None, "reasoning": None}}


def _word(number: int) -> str:
    return _WORDS[number % len(_WORDS)]


def _frame(fields: Fields) -> bytes:
    return b"data: " + _json(fields) + b"\n\n"


def _json(fields: Fields) -> bytes:
    return msgspec.json.encode(fields)
