"""Of which service an endpoint is a part."""

import pytest

from slo.expression import parse
from slo.objective import Indicator, Objective, Rolling
from slo.rules.services import Services


def objective(service: str, only: str = "") -> Objective:
    indicator = Indicator(only=parse(only) if only else None)
    return Objective(name="a", service=service, target=0.99, window=Rolling(length_s=86_400), indicator=indicator)


CHAT = "endpoint == 'chat'"


@pytest.mark.parametrize(
    ("objectives", "service"),
    [
        pytest.param([], "chat", id="nothing is promised: the endpoint is its own"),
        pytest.param([objective("talk", CHAT)], "talk", id="that of its objective"),
        pytest.param([objective("talk", CHAT), objective("talk")], "talk", id="that of all of them"),
        pytest.param([objective("talk", CHAT), objective("all")], "chat", id="several services say nothing"),
        pytest.param([objective("mail", "endpoint == 'mail'")], "chat", id="another endpoint's is not its"),
        pytest.param([objective("talk", f"{CHAT} and model == 'm'")], "talk", id="that of its model"),
        pytest.param([objective("talk", f"{CHAT} and model == 'n'")], "chat", id="not that of another model"),
    ],
)
def test_the_service_of_an_endpoint_is_that_of_its_objectives(objectives: list[Objective], service: str) -> None:
    services = Services(objectives)

    assert [services.of("chat", "m"), services.of("chat", "m")] == [service] * 2


def test_what_is_about_no_endpoint_has_the_service_of_all_or_none() -> None:
    assert Services().of("", "") == ""
    assert Services([objective("all")]).of("", "") == "all"
