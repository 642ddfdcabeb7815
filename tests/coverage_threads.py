"""Threads under coverage."""

from __future__ import annotations

import sys
import time
from typing import Any


def prepare() -> None:
    """Python 3.11 refuses a trace function while another thread gets one, and the refused thread ends before it begins: ask again."""
    settrace = sys.settrace

    def again(function: Any) -> None:
        while True:
            try:
                return settrace(function)
            except RuntimeError:
                time.sleep(0)

    sys.settrace = again
