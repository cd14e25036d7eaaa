"""Knows how a pipeline asks the gate of a running `inferometer`, and how the answer is printed; refuses to judge.

Source: spec/slo.md 16 (`slo gate`, exit codes); design.md (outputs `junit`, `github`); JUnit's XML as Jenkins and
GitLab read it; GitHub Actions, workflow commands (`::error title=T::M`, escape %25, of properties also %3A %2C; what
is not printable is left out before).
"""

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from inferometer import ask, data_directory
from inferometer.address import Address, target_address
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listing import show
from inferometer.report_tables import printable

WAIT_S = 10.0
"""Longest wait for the answer."""
COLUMNS = ("verdict", "objective", "remaining", "burn_1h", "state", "coverage", "why")
_OK, _FAULT, _UNAVAILABLE = 200, 400, 500
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- looked up, not bound


class Form(StrEnum):
    """How the answer is printed."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateQuestion:
    """What is asked.

    Attributes:
        service: Only objectives of this service; empty: all.
        slo: Only this objective; empty: all.
        version: Of the release; empty if not named.
        min_remaining: Share of each budget that must be left; None leaves it to the server.
    """

    service: str = ""
    slo: str = ""
    version: str = ""
    min_remaining: float | None = None


def run(config: Config, question: GateQuestion, url: str | None, form: Form) -> int:
    """Ask the gate, print its answer, and return the exit code: 0 pass, 3 fail, 4 inconclusive.

    Args:
        config: Names the data directory, and the port where nobody runs on it.
        question: What is asked.
        url: Whom; None for what runs on the data directory.
        form: How it is printed.

    Raises:
        ConfigurationError: The URL is none, or there is no such objective.
        UnreachableError: Nobody answers, or nobody who knows.
    """
    answer = asked(address(config, url), question)
    if form is Form.JSON:
        sys.stdout.write(json.dumps(answer) + "\n")
    elif form is Form.JUNIT:
        sys.stdout.write(junit(answer))
    elif form is Form.GITHUB:
        sys.stdout.write(github(answer))
    else:
        show(_rows(answer), COLUMNS, f"gate: {answer['verdict']}", form.value)
        sys.stderr.write("".join(f"{one['code']}: {printable(one['text'])}\n" for one in answer["reasons"]))
    return int(answer["exit_code"])


def asked(address: Address, question: GateQuestion) -> dict[str, Any]:
    """Return what the gate says.

    Raises:
        ConfigurationError: There is no such objective.
        UnreachableError: Nobody answers, or nobody who knows.
    """
    values = {"service": question.service, "slo": question.slo, "version": question.version}
    least = {} if question.min_remaining is None else {"min_remaining": repr(question.min_remaining)}
    query = urlencode({name: value for name, value in values.items() if value} | least)
    try:
        answer = ask.get(address, f"/v1/gate?{query}", wait_s=WAIT_S)
    except OSError as error:
        raise UnreachableError(f"gate: {address.url} does not answer: {error}") from None
    body = _object(answer.body)
    told = printable(str(body.get("detail", f"status {answer.status}")))
    if answer.status == _OK and body.get("exit_code") in {0, 3, 4}:
        return body
    if _FAULT <= answer.status < _UNAVAILABLE and "detail" in body:
        raise ConfigurationError(f"gate: {told}")
    raise UnreachableError(f"gate: {address.url} cannot say: {told}")


def junit(answer: dict[str, Any]) -> str:
    """Return the answer as a test suite with one case, which fails, or is an error if nobody can tell."""
    verdict = str(answer["verdict"])
    counts = {"tests": "1", "failures": str(int(verdict == "fail")), "errors": str(int(verdict == "inconclusive"))}
    suite = ET.Element("testsuite", {"name": "inferometer slo gate", **counts})
    case = ET.SubElement(suite, "testcase", {"classname": "inferometer", "name": "slo gate"})
    lines = [f"{one['code']}: {printable(one['text'])}" for one in answer["reasons"]]
    if verdict != "pass":
        kind = "failure" if verdict == "fail" else "error"
        ET.SubElement(case, kind, {"message": verdict}).text = "\n".join(lines)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def github(answer: dict[str, Any]) -> str:
    """Return the answer as workflow commands: an error for each reason of a failure, else a warning or a notice."""
    level = {"fail": "error", "inconclusive": "warning"}.get(str(answer["verdict"]), "notice")
    reasons = answer["reasons"] or [{"code": "PASS", "text": "a release may go on"}]
    lines = (f"::{level} title={_property('slo gate ' + one['code'])}::{_data(one['text'])}" for one in reasons)
    return "".join(f"{line}\n" for line in lines)


def address(config: Config, url: str | None, option: str = "--url") -> Address:
    """Return whom to ask: whoever a URL names, else what runs on the data directory.

    Args:
        config: Names the data directory, and the port where nobody runs on it.
        url: None for what runs on the data directory.
        option: Where the URL was typed.

    Raises:
        ConfigurationError: The URL is none.
    """
    if url is not None:
        try:
            return target_address(url)
        except ValueError as error:
            raise ConfigurationError(f"{option}: {error}") from None
    ports = data_directory.read_status(data_directory.resolve(config.data)).get("ports")
    port = cast("dict[str, object]", ports).get("serve") if isinstance(ports, dict) else None
    host = _EVERYWHERE.get(config.serve.bind, config.serve.bind)
    return Address(host=host, port=port if isinstance(port, int) else config.serve.port)


def _rows(answer: dict[str, Any]) -> list[dict[str, object]]:
    return [
        {
            "verdict": answer["verdict"],
            "objective": " ".join((one["name"], *one["group"].values())),
            "remaining": _rounded(one["remaining"]),
            "burn_1h": _rounded(one["burn_1h"]),
            "state": one["state"],
            "coverage": _rounded(one["coverage"]),
            "why": ", ".join(sorted({reason["code"] for reason in answer["reasons"]})),
        }
        for one in answer["slos"]
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found: object = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
