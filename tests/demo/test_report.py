from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.demo.chart import ticks
from streamtrain.demo.report import CheckpointMark, CurvePoint, DemoReport, Timing, render, thinned

VOID = {"meta", "br", "link", "img", "input"}
DIGEST = "9f2c41d07ab8e6535d1c08f4b37ea6f2d9c0514e8ba7f3620d5e94c1a7b8f036"
OTHER = "9f2c41d07ab8e6535d1c08f4b37ea6f2d9c0514e8ba7f3620d5e94c1a7b8f037"

REPORT = DemoReport(
    name="streamtrain demo",
    table="main.events",
    seed=41,
    started_at="21 November 2026, 07:42 UTC",
    points=tuple(
        CurvePoint(64 * n, n / 10, 0.5 + n / 500 if n > 1 else None, 0.7 - n / 900, 0.5 if n > 1 else None, 0.656)
        for n in range(1, 101)
    ),
    checkpoints=(CheckpointMark(1, 1_280), CheckpointMark(2, 2_560)),
    killed_at_events=3_007,
    resumed_from=CheckpointMark(2, 2_560),
    inserted=12_001,
    updated=3_604,
    deleted=102,
    slices=245,
    rejected=7,
    events_per_s=1_912.4,
    resumed_sha256=DIGEST,
    undisturbed_sha256=DIGEST,
    commands=("make demo", "streamtrain replay <CONFIG> --from 2 --verify"),
    timings=(Timing("until SIGKILL", 6.84), Timing("to the end", 8.1)),
    versions=(("Python", "3.11.2"),),
)


class Page(HTMLParser):
    """Reads a page, holding that every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_well_formed_and_in_one_language() -> None:
    page = Page(render(REPORT))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_the_page_asks_for_nothing_from_outside() -> None:
    text = render(REPORT)
    assert "http" not in text.lower()
    assert re.findall(r"url\(|@import|//[a-z]", text) == []
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert not {name for _, attributes in page.tags for name in attributes} & {"src", "href", "xlink:href"}


def test_every_number_is_on_the_page() -> None:
    text = Page(render(REPORT)).text
    for number in (
        "15,707",
        "12,001 inserts",
        "3,604 updates",
        "102 deletes",
        "6,400",
        "245",
        "1,912",
        "6.8 s",
        "8.1 s",
    ):
        assert number in text
    for sentence in (
        "After 3,007 events the trainer was killed", "went on from checkpoint 2, learned 447 events again",
        "SIGKILL at 3,007", "Seed 41", "3.11.2", "21 November 2026, 07:42 UTC", "0.700", "0.589",
    ):  # fmt: skip
        assert sentence in text
    assert "<dt>rejected</dt><dd>7</dd>" in render(REPORT)


def test_equal_states_are_shown_in_full_as_the_same() -> None:
    page = Page(render(REPORT))
    assert page.text.replace(" ", "").count(DIGEST) == 2
    assert "Both runs ended in the same state" in page.text
    assert "Same model, bit for bit" in page.text
    assert not [attributes for attributes in page.all("span") if attributes.get("class") == "differs"]


def test_different_states_are_said_to_differ_and_where() -> None:
    page = Page(render(dataclasses.replace(REPORT, undisturbed_sha256=OTHER)))
    assert "The runs ended in different states" in page.text
    assert "bit for bit" not in page.text
    assert DIGEST in page.text
    assert OTHER in page.text
    assert len([attributes for attributes in page.all("span") if attributes.get("class") == "differs"]) == 2


def test_names_from_outside_are_escaped() -> None:
    nasty = "<script>alert('&')</script>"
    changed = dataclasses.replace(
        REPORT, name=nasty, table=nasty, started_at=nasty, commands=(nasty,), versions=((nasty, nasty),),
        timings=(Timing(nasty, 1.0),), resumed_sha256=nasty,
    )  # fmt: skip
    page = Page(render(changed))
    assert page.all("script") == []
    assert page.text.count(nasty) >= 6


def test_each_chart_says_in_words_what_it_shows_and_has_a_table_beside_it() -> None:
    page = Page(render(REPORT))
    charts = [attributes for attributes in page.all("svg") if attributes.get("role") == "img"]
    described = {attributes["id"] for attributes in page.all("title") + page.all("desc") if "id" in attributes}
    assert len(charts) == 4  # each of two, for wide and for narrow screens
    for attributes in charts:
        assert set((attributes["aria-labelledby"] or "").split()) <= described
    assert "AUC over 6,400 events, higher is better. Model ends at 0.700; No change ends at 0.500." in page.text
    assert "Log loss over 6,400 events, lower is better. Model ends at 0.589; No change ends at 0.656." in page.text
    assert len(page.all("tr")) == 1 + 24 + 2


def test_a_line_begins_where_its_score_is_first_defined_and_stays_within_the_chart() -> None:
    page = Page(render(REPORT))
    [path] = [a["d"] or "" for a in page.all("path") if a.get("class") == "line model"][:1]
    drawn = [tuple(map(float, step.split())) for step in re.findall(r"[ML]([^ML]+)", path)]
    assert len(drawn) == 99
    assert path.count("M") == 1
    assert all(0 <= x <= 880 and 0 <= y <= 300 for x, y in drawn)
    assert drawn[-1][1] < drawn[0][1]


def test_marks_stand_where_things_happened() -> None:
    page = Page(render(REPORT))
    kill, band = page.all("line"), page.all("rect")
    at = next(float(a["x1"] or 0) for a in kill if a.get("class") == "kill")
    start, width = (float(band[0][name] or 0) for name in ("x", "width"))
    left, plot = 38, 880 - 38 - 88
    assert at == pytest.approx(left + plot * 3_007 / 6_400, abs=0.1)
    assert (start, width) == (pytest.approx(left + plot * 2_560 / 6_400, abs=0.1), pytest.approx(at - start, abs=0.1))
    assert len([a for a in page.all("path") if a.get("class") == "checkpoint"]) == 4 * 2 + 1


@given(st.integers(1, 40))
def test_a_curve_of_any_length_is_drawn_to_its_last_point(count: int) -> None:
    report = dataclasses.replace(REPORT, points=REPORT.points[-count:])
    assert "6,400" in Page(render(report)).text


@given(st.integers(1, 2_000), st.integers(1, 400))
def test_thinning_keeps_order_and_the_last_point(count: int, most: int) -> None:
    points = [CurvePoint(index, 0.0, 0.5, 0.7, 0.5, 0.7) for index in range(count)]
    kept = thinned(points, most)
    assert len(kept) == min(count, most)
    assert kept[-1] is points[-1]
    assert all(one.events < other.events for one, other in pairwise(kept))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(2, 8))
def test_ticks_are_even_and_hold_the_values_between_them(one: float, other: float, steps: int) -> None:
    low, high = sorted((round(one, 6), round(other, 6)))
    found = ticks(low, high, steps)
    assert found[0] <= low + 1e-9
    assert found[-1] >= high - 1e-9
    assert 2 <= len(found) <= steps + 3
    gaps = [after - before for before, after in pairwise(found)]
    assert max(gaps) == pytest.approx(min(gaps), rel=1e-3)
