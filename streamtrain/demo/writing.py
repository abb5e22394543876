"""The demo's application at work in the background, and the error that ends it."""

from __future__ import annotations

import threading
import time

from streamtrain.demo.traffic import Traffic, Written, write_steadily


class Writing:
    """Writes ``rows`` rows of traffic at a steady rate, in a thread of its own, from ``start()`` on."""

    def __init__(self, traffic: Traffic, rows: int, rows_per_s: float) -> None:
        self._traffic = traffic
        self._rows = rows
        self._rows_per_s = rows_per_s
        self._written: Written | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def written(self) -> Written | None:
        """What was written, once all is; None until then. Raises the error that ended the writing before."""
        if self._error is not None:
            raise self._error
        return self._written

    def _write(self) -> None:
        try:
            self._written = write_steadily(self._traffic, self._rows, self._rows_per_s, time.monotonic, time.sleep)
        except BaseException as error:  # noqa: BLE001 - whatever it is: kept for the thread that asks
            self._error = error
