"""The process door, with small real programs."""

from __future__ import annotations

import os
import signal
import sys

import psutil
import pytest

from genai_platform.errors import Interrupted, MissingError
from genai_platform.tools.process import Command, CommandError, kill_all, run

ENV = {"PATH": os.environ["PATH"]}


def python(code: str, stdin: str | None = None) -> Command:
    return Command([sys.executable, "-c", code], ENV, stdin=stdin)


class Stops:
    """Somebody who wants to stop once the program has spoken."""

    def __init__(self) -> None:
        self.heard = False

    def say(self, text: str) -> None: ...

    def check(self) -> None:
        if self.heard:
            raise Interrupted


def test_lines_of_both_streams_are_heard_and_kept() -> None:
    heard: list[tuple[str, str]] = []
    finished = run(
        python("import sys; print('one'); print('two', file=sys.stderr); print('half', end='')"),
        timeout=30, on_line=lambda stream, line: heard.append((stream, line)),
    )  # fmt: skip
    assert sorted(heard) == [("err", "two"), ("out", "half"), ("out", "one")]
    assert finished.out == "one\nhalf"


def test_much_output_on_both_streams_does_not_block() -> None:
    finished = run(python("import sys\nfor i in range(20000): print('x' * 40); print('y' * 40, file=sys.stderr)"), timeout=60)
    assert finished.out.count("\n") == finished.err.count("\n") == 20000


def test_a_failure_carries_the_code_and_the_last_lines() -> None:
    with pytest.raises(CommandError) as caught:
        run(python("import sys; sys.exit('it went wrong')"), timeout=30)
    assert caught.value.code == 1
    assert "it went wrong" in caught.value.message


def test_codes_named_good_are_no_failure() -> None:
    assert run(python("raise SystemExit(2)"), timeout=30, good=(0, 2)).code == 2


def test_the_environment_is_the_given_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    assert run(python("import os; print(os.environ.get('SECRET_OF_MINE'))"), timeout=30).out == "None\n"


def test_standard_input_is_passed() -> None:
    assert run(python("print(input())", stdin="quiet\n"), timeout=30).out == "quiet\n"


def test_a_program_past_its_time_is_ended() -> None:
    with pytest.raises(CommandError) as caught:
        run(python("import time; print('waiting', flush=True); time.sleep(60)"), timeout=0.5, grace=5)
    assert caught.value.code is None
    assert caught.value.id == "command.timeout"


def test_an_interruption_lets_the_program_tidy_up_first() -> None:
    stops, heard = Stops(), []

    def on_line(stream: str, line: str) -> None:
        heard.append(line)
        stops.heard = True

    code = (
        "import signal, sys, time\n"
        "def tidy(*_): print('tidied', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, tidy)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        with pytest.raises(Interrupted):
            run(
                python(code.replace("print('tidied', flush=True)", f"open({str(mark)!r}, 'w').close()")),
                timeout=30,
                progress=stops,
                on_line=on_line,
            )
        assert mark.exists()


def test_a_program_that_does_not_listen_is_killed() -> None:
    stops = Stops()

    def on_line(stream: str, line: str) -> None:
        stops.heard = True

    with pytest.raises(Interrupted):
        run(
            python("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"),
            timeout=30, progress=stops, on_line=on_line, grace=0.3,
        )  # fmt: skip


def test_what_runs_is_killed_with_its_children_when_the_person_asks_again() -> None:
    children: list[int] = []

    def on_line(stream: str, line: str) -> None:
        children.append(int(line))
        kill_all()

    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    assert run(python(code), timeout=50, on_line=on_line, good=None).code == -signal.SIGKILL
    psutil.wait_procs([psutil.Process(pid) for pid in children if psutil.pid_exists(pid)], timeout=10)
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in children)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(MissingError, match="no-such-program"):
        run(Command(["no-such-program"], ENV), timeout=5)
