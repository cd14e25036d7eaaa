import pytest

from inferometer import store_gate
from inferometer.store_gate import RefusedError
from telemetry import queries

NAMES = store_gate.denied(["file", "url", "numbers", "python", "remote"], ["aiGenerate", "lower"])


@pytest.mark.parametrize(
    "canonical",
    [
        "SELECT 1",
        "WITH file AS (SELECT 1) SELECT * FROM file",
        "SELECT 'into outfile', 'file(x)'",
        "SELECT {x:String}",
        "SELECT * FROM numbers(3) FORMAT JSON",
        "SHOW TABLES",
        "DESCRIBE TABLE x",
        "EXISTS TABLE x",
        "EXPLAIN SELECT 1",
        "SELECT 1 AS into, 2 AS outfile",
        "SELECT t.file, x AS file FROM t INNER JOIN file ON 1",
        "SELECT default FROM t",
    ],
)
def test_a_reader_may(canonical: str) -> None:
    store_gate.refuse_reading(canonical, NAMES)


@pytest.mark.parametrize(
    "canonical",
    [
        "",
        "INSERT INTO t (a) FORMAT Native",
        "KILL QUERY WHERE 1 ASYNC",
        "SET a = 1",
        "USE db",
        "SYSTEM SHUTDOWN",
        "SELECT file('/etc/hostname')",
        "SELECT `file`('x')",
        'SELECT "file"(1)',
        "SELECT FiLe('x')",
        "SELECT 1 IN file('x')",
        "SELECT * FROM url('http://x', 'CSV')",
        "SELECT * FROM remote('x')",
        "SELECT * FROM python(x)",
        "SELECT aiGenerate('x')",
        "SELECT sleep(1)",
        "SELECT getClientHTTPHeader('x')",
        "SELECT 1 INTO OUTFILE 'x'",
        "EXPLAIN SELECT 1 INTO OUTFILE 'x'",
        "DESCRIBE TABLE file('x')",
        "SELECT arrayMap(file, ['/etc/hostname'])",
        "SELECT * APPLY file FROM (SELECT '/etc/hostname' AS x)",
        "SELECT * APPLY aigenerate FROM x",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT * FROM `default`.x",
    ],
)
def test_a_reader_may_not(canonical: str) -> None:
    with pytest.raises(RefusedError) as caught:
        store_gate.refuse_reading(canonical, NAMES)

    assert 497 == caught.value.code


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO requests (endpoint, model) FORMAT Native",
        "INSERT INTO inferometer.requests (`endpoint`, `model`) FORMAT Native\n",
        "insert into `inferometer`.`requests` ( endpoint,\n model ) format Native",
    ],
)
def test_a_writers_insert_is_taken_apart(statement: str) -> None:
    found = store_gate.insert(statement)

    assert ("requests", ("endpoint", "model"), "Native") == (found.table.name, found.columns, found.format)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        pytest.param("SELECT 1", 497, id="no insert"),
        pytest.param("INSERT INTO requests SELECT 1", 497, id="insert from a query"),
        pytest.param("INSERT INTO requests (endpoint) FORMAT CSV", 497, id="a format of no writer"),
        pytest.param("INSERT INTO requests (endpoint) FORMAT Native; SELECT 1", 497, id="two statements"),
        pytest.param("INSERT INTO FUNCTION file('x') (a) FORMAT Native", 497, id="into a file"),
        pytest.param("INSERT INTO nowhere (a) FORMAT Native", 60, id="no such table"),
        pytest.param("INSERT INTO system.requests (endpoint) FORMAT Native", 60, id="another database"),
        pytest.param("INSERT INTO schema_migrations (version) FORMAT Native", 60, id="a table of the admin"),
        pytest.param("INSERT INTO r_1m (n) FORMAT Native", 60, id="a table that a view fills"),
        pytest.param("INSERT INTO requests (nothing) FORMAT Native", 16, id="no such column"),
        pytest.param("INSERT INTO requests (ingested_at) FORMAT Native", 16, id="a column that the store fills"),
    ],
)
def test_a_writer_may_not(statement: str, code: int) -> None:
    with pytest.raises(RefusedError) as caught:
        store_gate.insert(statement)

    assert code == caught.value.code


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1\n FORMAT Native", ("SELECT 1", "Native")),
        ("SELECT 1 format JSON ;", ("SELECT 1", "JSON")),
        ("SELECT 1;", ("SELECT 1", None)),
        ("SELECT 'FORMAT x'", ("SELECT 'FORMAT x'", None)),
    ],
)
def test_the_format_clause_is_split_off(statement: str, expected: tuple[str, str | None]) -> None:
    assert expected == store_gate.split_format(statement)


def test_a_statement_of_blanks_is_judged_in_one_pass() -> None:
    # A backtracking pattern took minutes for this; the time limit of a test is the check.
    blanks = "SELECT 1".ljust(store_gate.SQL_BYTES_MAX) + "x"

    assert (blanks, None) == store_gate.split_format(blanks)
    with pytest.raises(RefusedError):
        store_gate.insert("INSERT INTO requests (" + " " * store_gate.SQL_BYTES_MAX)


def test_a_writer_may_ask_how_much_of_a_batch_is_stored_and_shake_hands() -> None:
    described = ["DESCRIBE TABLE `inferometer`.`requests`", "DESCRIBE TABLE requests"]
    for statement in [*store_gate.HANDSHAKES, queries.STORED_COUNT, queries.INSERTS_SINCE, *described]:
        assert store_gate.is_writers_question(statement + "\n FORMAT Native")
    assert not store_gate.is_writers_question("SELECT count() FROM inferometer.requests")
    assert not store_gate.is_handshake(queries.STORED_COUNT)
    for foreign in ["DESCRIBE TABLE system.users", "DESCRIBE TABLE nowhere", "DESCRIBE TABLE default.requests"]:
        with pytest.raises(RefusedError):
            store_gate.is_writers_question(foreign)
