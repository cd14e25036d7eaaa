"""The rules of the house that no linter knows. Each test names the offender, so its message is the fix."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("telemetry", "collector", "probes", "slo", "loadtest", "dashboards", "inferometer")
FILE_LINES_MAX = 400
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval"})
# Modules without a test file of their own, each with its reason.
WITHOUT_TEST = {
    "inferometer/__main__.py": "the process itself, run by every command line test",
    "loadtest/harness.py": "importing Locust patches sockets: run as a process by tests/system/test_load_run.py",
    "loadtest/locustfile.py": "the same",
    "loadtest/post.py": "the same",
}
# Calls that send a statement to a store: its text must come whole from a query function or a schema table.
SENDERS = frozenset({"execute", "command", "query", "raw_query", "insert", "raw_insert", "send_query", "send_insert"})


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def impure_modules() -> set[str]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    (pure,) = [contract for contract in contracts if contract["id"] == "default-pure"]
    return {line.split(" -> ")[0] for line in pure["ignore_imports"]}


def dotted(path: Path) -> str:
    return named(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def test_no_file_is_longer_than_the_limit() -> None:
    files = [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]

    too_long = {named(path): n for path in files if (n := len(path.read_text().splitlines())) > FILE_LINES_MAX}

    assert too_long == {}


def test_every_module_has_its_test_file() -> None:
    lonely = [
        named(path)
        for path in modules()
        if path.name != "__init__.py"
        and named(path) not in WITHOUT_TEST
        and not (ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.name}").exists()
    ]

    assert lonely == []


def test_pure_modules_call_nothing_that_touches_the_world() -> None:
    impure = impure_modules()
    calls = [
        f"{named(path)}:{node.lineno} {node.func.id}()"
        for path in modules()
        if dotted(path) not in impure
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS
    ]

    assert calls == []


def test_every_bound_stands_in_a_test() -> None:
    words = {word for path in (ROOT / "tests").rglob("*.py") for word in re.findall(r"\w+", path.read_text())}
    bounds = {
        f"{named(path)}: {target.id}"
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id.endswith("_MAX")
    }

    untested = {bound for bound in bounds if bound.split(": ")[1] not in words}

    assert untested == set()


def built_from_parts(argument: ast.expr) -> bool:
    match argument:
        case ast.JoinedStr() | ast.BinOp(op=ast.Mod() | ast.Add()):
            return True
        case ast.Call(func=ast.Attribute(attr="format")):
            return True
        case _:
            return False


def test_no_statement_is_glued_together_where_it_is_sent() -> None:
    glued = [
        f"{named(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDERS
        for argument in node.args
        if built_from_parts(argument)
    ]

    assert glued == []


def test_every_silenced_check_has_a_code_and_a_reason() -> None:
    files = [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    silenced = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore)(?P<rest>.*)$")
    explained = re.compile(r"^(:\s*[A-Z]+\d+[A-Z\d, ]*|\[[\w, -]+\])\s*(#|;|-|:)?\s*\S+.*$")

    bare = [
        f"{named(path)}:{at}"
        for path in files
        if path.name not in {"test_house.py", "test_contracts.py"}  # they speak of silenced checks
        for at, line in enumerate(path.read_text().splitlines(), 1)
        if (found := silenced.search(line)) and not explained.match(found["rest"])
    ]

    assert bare == []


def test_no_test_imports_locust() -> None:
    offenders = [
        named(path)
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"^\s*(import|from)\s+locust", path.read_text(), re.MULTILINE)
    ]

    assert offenders == []


def test_the_change_log_speaks_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
