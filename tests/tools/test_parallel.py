"""Many at a time: the first error stops new ones and names whose it was; an interruption stays one."""

from __future__ import annotations

import threading
import time

import pytest

from genai_platform.errors import Interrupted, StepError
from genai_platform.tools import parallel


class Listener:
    """Keeps what is said, and is never asked to stop."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None: ...


def test_no_more_than_a_few_at_a_time() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work(thing: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    progress = Listener()
    parallel.each(range(100), work, str, progress, "things")
    assert 1 < most <= parallel.AT_ONCE
    assert progress.said[-1] == "things: 100/100"


def test_the_first_error_stops_new_ones() -> None:
    done: list[int] = []

    def work(thing: int) -> None:
        done.append(thing)
        if thing == 3:
            raise StepError("gone", remedy="again", id="x.y")

    with pytest.raises(StepError, match="caller '3': gone") as failed:
        parallel.each(range(1000), work, str, Listener(), "things")
    assert (failed.value.remedy, failed.value.id) == ("again", "x.y")
    assert len(done) < 1000


def test_an_interruption_stays_one() -> None:
    def work(thing: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        parallel.each([1], work, str, Listener(), "things")


def test_answers_come_in_the_order_of_the_things() -> None:
    later = threading.Event()

    def work(thing: int) -> int:
        if thing == 0:
            assert later.wait(10)
        else:
            later.set()
        return thing * 2

    assert parallel.gather([0, 1, 2], work, at_once=2) == [0, 2, 4]
    assert parallel.gather([], work) == []


def test_stopping_does_not_wait_for_a_look_that_hangs() -> None:
    released, began = threading.Event(), threading.Event()

    def hang(thing: int) -> None:
        began.set()
        released.wait()

    def beat(done: int) -> None:
        if began.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel.gather([1, 2], hang, beat=beat)
    assert not released.is_set()
    released.set()


def test_an_interruption_waits_for_the_changes_that_have_begun_and_begins_no_more() -> None:
    began, ended = list[int](), list[int]()
    stopping = threading.Event()

    class Stops(Listener):
        def check(self) -> None:
            if began:
                stopping.set()
                raise Interrupted

    def work(thing: int) -> None:
        began.append(thing)
        assert stopping.wait(10)
        ended.append(thing)

    with pytest.raises(Interrupted):
        parallel.each(range(100), work, str, Stops(), "things")
    assert sorted(began) == sorted(ended)
    assert len(ended) <= parallel.AT_ONCE
