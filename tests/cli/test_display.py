"""What is shown of long work while it goes on."""

from __future__ import annotations

import io
import re

from rich.console import Console

from streamtrain.cli.display import Display


def shown(terminal: bool, **values: object) -> str:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=160, no_color=True)
    with Display("capture", console) as display:
        display.show(values)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())


def test_a_snapshot_has_a_bar_on_a_terminal_with_its_rows_a_second() -> None:
    text = shown(True, rows=1_200_000, reading="shop.orders", percent=50, tables_left=2, rows_per_s=249_771)
    assert re.search(
        r"━{12}[╸━ ]* 50 % *capture: rows 1,200,000  reading shop.orders  tables_left 2  rows_per_s 249,771", text
    )


def test_without_an_estimate_there_is_no_bar() -> None:
    text = shown(True, rows=12, reading="shop.orders", percent=None, rows_per_s=3)
    assert "capture: rows 12  reading shop.orders  rows_per_s 3" in text
    assert "━" not in text


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    assert shown(False, rows=1, percent=50) == ""
