"""A store of the first version, which has rows and no roll-ups, and what its roll-ups must hold."""

from chdb_child import Chdb

from inferometer import migrate
from telemetry import schema
from telemetry.clock import wall_ms

NAMES = tuple(table.name for table in schema.ROLLUP_TABLES)
_NEWEST_MS = wall_ms() - 600_000
_FILL = """\
INSERT INTO inferometer.requests
    (ended_at, ingested_at, elapsed_us, endpoint, model, collector, seq, record_id, outcome, eligible, ttft_us, e2e_us,
     tpot_us, icl_max_us, stall_n, tokens_in, tokens_out, tok_by_s, itl_h)
SETTINGS insert_deduplicate = 0
SELECT
    fromUnixTimestamp64Milli({newest:Int64} - number * {every:Int64}) AS ended_at,
    ended_at + INTERVAL 2 SECOND,
    5000000 + if(number % 50 = 0, 7200000000, 0) AS elapsed_us,
    concat('e', toString(number % 3)), 'm', 'n/rows', number + 1,
    reinterpretAsUUID(number + 1),
    ['ok', 'ok', 'server_error', 'client_cancelled'][number % 4 + 1],
    ['good', 'good', 'bad', 'censored'][number % 4 + 1],
    if(number % 7 = 0, NULL, 100000 + number * 13), if(number % 4 < 2, elapsed_us + number, NULL),
    20000 + number % 900, 40000 + number, number % 3, 7 + number, 9,
    arrayMap(x -> 3, range(number % 4)), map(toInt16(-70 + number % 30), toUInt32(8))
FROM numbers({n:UInt64})"""


def fill(store: Chdb, n: int = 500, every_s: int = 300) -> None:
    """Insert requests of the last days, some of which gave their first tokens hours before their end."""
    store.execute(_FILL, {"n": str(n), "newest": str(_NEWEST_MS), "every": str(every_s * 1000)})


def make(store: Chdb) -> None:
    """Make the tables and views that matter here, without a note of it."""
    for statement in (
        schema.CREATE_DATABASE,
        *(sql for step in migrate.MIGRATIONS[:2] for sql in step.statements(schema.ONE_SERVER)),
    ):
        store.execute(statement)


def first_version(store: Chdb) -> None:
    """Make what the first version made."""
    for statement in (schema.CREATE_DATABASE, *migrate.MIGRATIONS[0].statements(schema.ONE_SERVER)):
        store.execute(statement)
    store.execute(
        "INSERT INTO inferometer.schema_migrations (version, name, applied_at, checksum, schema_hash, by) "
        "VALUES (1, 'requests', now64(3), '', '', 'inferometer 0.1.0')"
    )


def rollups(store: Chdb) -> dict[str, list[str]]:
    """Return every row of every roll-up, merged; of r_1s those that its retention surely keeps."""
    rows: dict[str, list[str]] = {}
    for name in NAMES:
        sql = "SELECT * FROM inferometer.{table} FINAL WHERE t > toDateTime({since:UInt32}) OR {all:UInt8} ORDER BY ALL"
        kept = {"all": str(int(name != "r_1s")), "since": str(_NEWEST_MS // 1000 - 60 * 3600)}
        rows[name] = store.execute(sql.replace("{table}", name), kept).splitlines()
    return rows
