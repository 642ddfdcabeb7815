"""Getting what is missing: lanes run side by side, each in its order, and say how far they are."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from genai_platform.cli.fetch_programs import fetch
from genai_platform.errors import Interrupted, MissingError
from genai_platform.ui.screen import Screen

Say = Callable[[str], None]


def test_each_program_gets_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    def compile(say: Say) -> None:
        for second in range(30):
            say(f"etcd: compiling, {second} s (about 1 min on two cores)")

    fetch(Screen(plain=True), [[("etcd", compile)]])
    lines = capsys.readouterr().out.splitlines()
    assert "getting what is missing, once: etcd" in lines
    assert sum("compiling" in line for line in lines) == 1  # not one line a second
    assert any("etcd: compiling, 0 s (about 1 min on two cores)" in line for line in lines)
    assert any("etcd: done" in line for line in lines)


def test_lanes_run_side_by_side_and_keep_their_order() -> None:
    order: list[str] = []
    met = threading.Barrier(2, timeout=10)

    def first(say: Say) -> None:
        met.wait()
        order.append("first")

    def second(say: Say) -> None:
        order.append("second")

    fetch(Screen(quiet=True), [[("a", first), ("b", second)], [("c", lambda say: met.wait())]])
    assert order == ["first", "second"]


def test_a_failure_stops_the_other_lane_and_is_the_one_that_is_told() -> None:
    failed, running = threading.Event(), threading.Event()
    stopped: list[bool] = []

    def bad(say: Say) -> None:
        assert running.wait(10)
        failed.set()
        raise MissingError("etcd could not be fetched", remedy="install Go")

    def long(say: Say) -> None:
        running.set()
        assert failed.wait(10)
        try:
            while True:
                say("still at it")
        except Interrupted:
            stopped.append(True)
            raise

    with pytest.raises(MissingError, match="etcd could not be fetched"):
        fetch(Screen(quiet=True), [[("etcd", bad), ("never", long)], [("helm", long)]])
    assert stopped == [True]
