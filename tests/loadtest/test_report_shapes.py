import msgspec

from loadtest.report_shapes import Axis, Lines, Mark, Panel, Section, Series, Sheet, Sign, Tone, Unit


def test_a_sheet_travels_as_json_and_each_chart_says_its_kind() -> None:
    series = Series(name="s", tone=Tone.A, mark=Mark.LINE, points=[(0.0, 1.0), (1.0, None)])
    axis = Axis(label="x", unit=Unit.SECONDS)
    panel = Panel(id="p", title="P", chart=Lines(x=axis, y=axis, series=[series]))
    made = Sheet(
        title="t",
        signs=[Sign(name="verdict", word="pass", tone=Tone.GOOD)],
        facts=[("a", "b")],
        sections=[Section(title="s", panels=[panel])],
    )

    data = msgspec.json.encode(made)

    assert b'"kind":"lines"' in data
    assert made == msgspec.json.decode(data, type=Sheet)
