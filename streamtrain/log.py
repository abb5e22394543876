"""Structured logging: one event, one line, on stderr. Standard output belongs to results."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog

LogFormat = Literal["text", "json"]


def configure(log_format: LogFormat = "text", *, debug: bool = False) -> None:
    """Set up logging for this process. Call it once, from the command line's entry."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=28)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        # Asked at each line: whoever replaces sys.stderr (a test, an embedding program) gets the lines, and may close it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> Any:
    """A logger whose lines carry ``component=name``."""
    # Initial values, not bind(): a bound logger would keep the configuration of the moment of import.
    return structlog.get_logger(component=name)
