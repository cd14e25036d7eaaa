"""Knows how a store's own engine makes requests by the million; refuses to know what is asked of them.

Making and sending a hundred million requests from Python would take an hour. Here the engine makes them in the store's
own directory, every view at work and fsync on, a block at a time: a block is one insert under a token of its own, so a
run that was cut short goes on behind the last block.
"""

from dataclasses import dataclass

_LOAD = """
INSERT INTO inferometer.requests
(
    ended_at, ingested_at, elapsed_us, endpoint, model, region, workload_class, traffic, replica, api, point, collector,
    seq, record_id, outcome, phase, origin, finish_reason, eligible, http_status, attempt, stream, e2e_us, headers_us,
    first_event_us, ttft_us, ttft_service_us, ttfo_us, tpot_us, icl_p50_us, icl_p99_us, icl_max_us, n_arrivals,
    n_out_events, srv_queue_us, srv_prefill_us, srv_decode_us, itl_h, tok_by_s, tokens_in, tokens_out, ttft_source,
    ttft_quality, tok_source, tok_time_quality, bytes_in, bytes_out
)
SETTINGS insert_deduplication_token = 'load-{token}',
    max_insert_block_size = {rows}, min_insert_block_size_rows = {rows}, min_insert_block_size_bytes = 0
WITH
    number + {first} AS i,
    toUInt32(least(exp(randNormal(12, 0.6, 1)), 4e9)) AS ttft,
    toUInt32(least(exp(randNormal(9.6, 0.3, 2)), 4e9)) AS tpot,
    toUInt32(20 + rand(3) % 380) AS tokens,
    toUInt64(ttft + tpot * tokens) AS whole,
    {outcome} AS ended,
    ended = 'ok' AS ok,
    {silent} AS is_silent,
    if(is_silent, ttft, whole) AS e2e,
    toUInt32(1 + intDiv(e2e, 1000000)) AS seconds
SELECT
    fromUnixTimestamp64Milli(toInt64({since_ms} + intDiv(number * {length_ms}, {rows}))) AS at, at + 1, e2e,
    {endpoint}, {model}, 'eu', 'chat', 'user',
    concat('10.0.0.', toString(i % 8), ':8000'), 'openai_chat', 'tee', 'bench/00000000', i, generateUUIDv7(),
    ended, if(ok, 'done', if(is_silent, 'queued', 'streaming')),
    if(ok, '', if(ended = 'client_cancelled', 'client', 'server')), if(ok, 'stop', ''),
    if(ok, 'good', if(ended = 'client_cancelled', 'censored', 'bad')), if(ended = 'overloaded', 503, 200), 1, 1,
    if(ok, e2e, NULL), ttft - rand(5) % 900, if(is_silent, NULL, ttft - rand(6) % 500), if(is_silent, NULL, ttft),
    if(is_silent, NULL, ttft), if(is_silent, NULL, ttft), if(ok, tpot, NULL), tpot, tpot * 2, tpot * 4,
    if(is_silent, 0, tokens), if(is_silent, 0, tokens), rand(7) % 2000, intDiv(ttft, 2), e2e - ttft,
    if(is_silent, CAST(map(), 'Map(Int16, UInt32)'),
        CAST((range(-102, -92), arrayMap(k -> toUInt32(1 + bitAnd(bitShiftRight(rand(8), k), 7)), range(10))),
            'Map(Int16, UInt32)')),
    if(is_silent, [], arrayMap(s -> intDiv(tokens, seconds), range(seconds))), 50 + rand(9) % 4000,
    if(is_silent, NULL, tokens), 'tee', 'exact', 'usage', 'exact', 500 + rand(10) % 20000, tokens * 230
FROM numbers({rows})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What differs from one request to the next, as SQL over its number `i`.

    Attributes:
        endpoint: Its endpoint.
        model: Its model.
        outcome: How it ended: ok, client_cancelled or a fault.
        silent: Whether nothing came before its end; may use `ended`.
    """

    endpoint: str
    model: str
    outcome: str
    silent: str


TENS = Mix(
    endpoint="concat('endpoint-', toString(i % 10))",
    model="concat('model-', toString(intDiv(i, 10) % 3))",
    outcome="if(rand(4) % 100 < 97, 'ok', 'client_cancelled')",
    silent="toUInt8(0)",
)
"""Ten endpoints with three models each, all of them alike; three of a hundred users leave in the middle."""


def load(mix: Mix, *, first: int, rows: int, since_ms: int, length_ms: int) -> str:
    """Return the statement that makes a block of requests, spread evenly over a time.

    Args:
        mix: What they are like.
        first: Number of the first, which names the block.
        rows: How many.
        since_ms: Start of that time, unix milliseconds.
        length_ms: Its length.
    """
    return _LOAD.format(
        endpoint=mix.endpoint,
        model=mix.model,
        outcome=mix.outcome,
        silent=mix.silent,
        token=first,
        first=first,
        rows=rows,
        since_ms=since_ms,
        length_ms=length_ms,
    )
