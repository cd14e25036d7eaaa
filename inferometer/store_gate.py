"""Knows which statements may reach the embedded store; refuses to know how they travel or run.

The engine has no users and acts with the process's rights, and even `readonly = 1` lets a SELECT read any host file by
the scalar `file()` and write one by INTO OUTFILE. So a reader's statement is judged here, in the canonical text that
the engine's own parser gives (comments gone, one line, quotes normalised), and a writer may only insert and ask the
few questions that stand here.

Subtle: a function is also called by its bare name (`arrayMap(file, ..)`, `* APPLY file`), so a harmful scalar's name
may stand only where a table, an alias or a qualified column does.

Source: spec/store.md 8.3, each rule verified against the engine in tests/inferometer/test_store_engine.py.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from telemetry import queries, schema

SQL_BYTES_MAX = 256 * 1024
"""Longest statement that is looked at."""
FIRST_WORDS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN"})
HARMLESS_TABLE_FUNCTIONS = frozenset(
    {"numbers", "numbers_mt", "zeros", "values", "view", "null", "generate_series", "generateseries", "merge"}
)
HARMFUL_FUNCTIONS = frozenset({"file", "sleep", "sleepeachrow", "getclienthttpheader"})
"""Scalar functions that read files, hold a handle or see other people's headers; `ai...` is refused as a family."""
FILE_DATABASE = "default"
"""The engine's database whose table names are host paths."""
INSERT_FORMATS = frozenset({"Native", "JSONEachRow"})
HANDSHAKES = frozenset(
    {
        "SELECT version(), timezone()",
        "SELECT name, value, readonly FROM system.settings LIMIT 10000",
        "SELECT 1 AS check",
        "SELECT 1",
    }
)
"""What clickhouse-connect says when it connects, the same for every user (its driver/_backend/orchestration.py)."""

_TOKEN = re.compile(
    r"""
      (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
    | (?P<word>[A-Za-z_][\w$]*)
    | (?P<other>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_BEFORE_A_NAME = frozenset({"FROM", "JOIN", "AS", "."})
"""After these stands a table, an alias or a column, never a function's bare name."""
_INSERT = re.compile(
    r"INSERT INTO (?:(?P<database>`\w+`|\w+)\.)?(?P<table>`\w+`|\w+) ?"
    r"\((?P<columns>[\w`, ]+)\) ?FORMAT (?P<format>\w+)",
    re.IGNORECASE,
)
"""Matched against a text with single spaces, so that no run of blanks makes it slow."""
_DESCRIBE = re.compile(r"DESCRIBE TABLE (?:(?P<database>`\w+`|\w+)\.)?(?P<table>`\w+`|\w+)", re.IGNORECASE)
"""What clickhouse-connect asks before an insert whose types it was not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """A writer's statement, taken apart.

    Attributes:
        table: The table that it names.
        columns: Column names in the order of the data.
        format: Format of the data.
    """

    table: schema.Table
    columns: tuple[str, ...]
    format: str


class _Token(NamedTuple):
    """A word, sign or literal; `name` is empty unless it can name something, and then in lower case."""

    text: str
    name: str

    @classmethod
    def of(cls, found: re.Match[str]) -> "_Token":
        text = found.group()
        return cls(text, text.strip('`"').lower() if found.lastgroup in {"word", "quoted"} else "")


_NOTHING = _Token("", "")


class RefusedError(Exception):
    """The statement may not run; `code` is the ClickHouse error code that fits."""

    def __init__(self, code: int, message: str) -> None:
        """Keep the code and the sentence for the user."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Names in lower case that a reader may not use.

    Attributes:
        calls: Not before a parenthesis.
        scalars: Not by bare name either.
    """

    calls: frozenset[str]
    scalars: frozenset[str]


def denied(table_functions: Iterable[str], functions: Iterable[str]) -> Denied:
    """Return the names that are denied, given the functions that the engine has."""
    scalars = HARMFUL_FUNCTIONS | {name.lower() for name in functions if name.lower().startswith("ai")}
    tables = frozenset(name.lower() for name in table_functions) - HARMLESS_TABLE_FUNCTIONS
    return Denied(calls=tables | scalars, scalars=scalars)


def refuse_reading(canonical: str, names: Denied) -> None:
    """Let a reader's statement pass or raise.

    Args:
        canonical: The text that `formatQuerySingleLine` made of it.
        names: From `denied`.

    Raises:
        RefusedError: It writes, leaves the database, or does more than read.
    """
    tokens = [_Token.of(found) for found in _TOKEN.finditer(canonical)]
    first = tokens[0].text.upper() if tokens else ""
    if first not in FIRST_WORDS:
        raise RefusedError(497, f"{first or 'an empty statement'}: a reader may only {', '.join(sorted(FIRST_WORDS))}")
    around = [_NOTHING, *tokens, _NOTHING, _NOTHING]
    for at, token in enumerate(tokens, 1):
        if token.name:
            _refuse_name(around[at - 1], token.name, (around[at + 1].text.upper(), around[at + 2].text), names)


def _refuse_name(before: "_Token", name: str, after: tuple[str, str], names: Denied) -> None:
    if name == "into" and after[0] == "OUTFILE":
        raise RefusedError(497, "INTO OUTFILE writes files of the host")
    if after[0] == "(" and (name in names.calls or name.startswith("ai")):
        raise RefusedError(497, f"function {name} reaches outside the store")
    if name in names.scalars and before.text.upper() not in _BEFORE_A_NAME and after != ("AS", "("):
        raise RefusedError(497, f"function {name} reaches outside the store, also by its bare name")
    if after[0] == "." and name == FILE_DATABASE:
        raise RefusedError(497, f"the tables of database {FILE_DATABASE} are files of the host")


def insert(statement: str) -> Insert:
    """Take a writer's INSERT apart.

    Raises:
        RefusedError: It is none, or names a table, column or format that no writer has.
    """
    found = _INSERT.fullmatch(" ".join(statement.split()))
    if found is None:
        raise RefusedError(497, "a writer may only INSERT INTO table (columns) FORMAT Native|JSONEachRow")
    table = _table(found)
    columns = tuple(column.strip(" `") for column in found["columns"].split(","))
    unknown = set(columns) - {column.name for column in table.insert_columns}
    if unknown:
        raise RefusedError(16, f"No such column {', '.join(sorted(unknown))} in table {table.name}")
    if found["format"] not in INSERT_FORMATS:
        raise RefusedError(497, f"a writer's format is one of {', '.join(sorted(INSERT_FORMATS))}")
    return Insert(table=table, columns=columns, format=found["format"])


def split_format(statement: str) -> tuple[str, str | None]:
    """Return a statement without its closing FORMAT clause, and the format; None if it names none."""
    text = statement.rstrip().removesuffix(";").rstrip()
    words = text.rsplit(None, 2)
    if len(words) == 3 and words[1].upper() == "FORMAT" and words[2].isidentifier():  # noqa: PLR2004 - head, FORMAT, name
        return words[0], words[2]
    return text, None


def is_handshake(statement: str) -> bool:
    """Whether this is what a client says when it connects."""
    return _plain(statement) in HANDSHAKES


def is_writers_question(statement: str) -> bool:
    """Whether a writer may ask this: the handshake, how much of a batch is stored, and what a table looks like.

    Raises:
        RefusedError: It asks for a table that no writer has.
    """
    if described := _DESCRIBE.fullmatch(_plain(statement)):
        _table(described)
        return True
    asked = _plain(statement)
    return is_handshake(statement) or asked in map(_plain, (queries.STORED_COUNT, queries.INSERTS_SINCE))


def _table(found: re.Match[str]) -> schema.Table:
    database, name = (found["database"] or schema.DATABASE).strip("`"), found["table"].strip("`")
    table = next((one for one in WRITABLE if database == schema.DATABASE and one.name == name), None)
    if table is None:
        raise RefusedError(60, f"Table {database}.{name} does not exist, or is not for writers")
    return table


def _plain(statement: str) -> str:
    return " ".join(split_format(statement)[0].split())


_FILLED_BY_VIEWS = frozenset(view.target for view in schema.VIEWS)
WRITABLE = tuple(
    table for table in schema.TABLES if table is not schema.SCHEMA_MIGRATIONS and table.name not in _FILLED_BY_VIEWS
)
"""The tables that a writer inserts into: not the admin's, and none that a view fills."""
