"""What goes to which stream, in which bytes; questions; what a terminal gets and others do not."""

from __future__ import annotations

import io
import json
import sys

import pytest

from genai_platform.engine.events import StepStarted
from genai_platform.errors import ConfigError, Declined
from genai_platform.ui.screen import Screen


class Stream(io.TextIOWrapper):
    """A stream that may be a terminal, and keeps its bytes."""

    def __init__(self, *, terminal: bool = False, encoding: str = "utf-8", text: str = "") -> None:
        super().__init__(io.BytesIO(text.encode()), encoding=encoding, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def bytes(self) -> bytes:
        return self.buffer.getvalue()  # type: ignore[attr-defined, no-any-return]


def streams(patch: pytest.MonkeyPatch, *, terminal: bool = False, encoding: str = "utf-8", typed: str = "") -> tuple[Stream, Stream]:
    out, err = Stream(terminal=terminal, encoding=encoding), Stream(terminal=terminal, encoding=encoding)
    patch.setattr(sys, "stdout", out)
    patch.setattr(sys, "stderr", err)
    patch.setattr(sys, "stdin", Stream(terminal=terminal, text=typed))
    return out, err


def test_one_document_in_utf_8_and_people_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch, encoding="ascii")
    screen = Screen(json=True)
    screen.tell("日本語")
    screen.table(["step"], [["a.one"]], title="steps")
    screen.document({"text": "日本語 \udc80"})
    assert json.loads(out.bytes.decode("utf-8")) == {"schema": 1, "environment": "default", "text": "日本語 ?"}
    assert b"\\u65e5" in err.bytes
    assert b"a.one" in err.bytes


def test_a_failure_after_the_document_makes_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    screen = Screen(json=True)
    screen.document({"ok": False})
    screen.error(ConfigError("too late", remedy="look", id="late"))
    assert json.loads(out.bytes)["ok"] is False
    assert err.bytes == b"error: too late\n  -> look\n"


def test_a_failure_is_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch)
    screen = Screen(json=True)
    screen.environment = "work"
    screen.error(ConfigError("wrong", remedy="fix", id="config.x"))
    assert json.loads(out.bytes) == {"schema": 1, "environment": "work", "error": {"id": "config.x", "message": "wrong", "remedy": "fix"}}


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False), ("yep\n", False)]
)
def test_the_default_is_no(monkeypatch: pytest.MonkeyPatch, typed: str, agreed: bool) -> None:
    out, _ = streams(monkeypatch, terminal=True, typed=typed)
    if agreed:
        Screen().confirm("Remove?")
    else:
        with pytest.raises(Declined):
            Screen().confirm("Remove?")
    assert out.bytes == b"Remove? [y/N] "


def test_without_a_terminal_a_question_is_an_error_that_names_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    streams(monkeypatch, typed="y\n")
    with pytest.raises(Declined) as caught:
        Screen().confirm("Remove?")
    assert "--yes" in caught.value.remedy


@pytest.mark.parametrize("plain", [True, False])
def test_control_characters_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    out, _ = streams(monkeypatch, terminal=True)
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen(plain=plain)
    screen.table(["state"], [["present"]])
    with screen.follow(["a.one"]) as sink:
        sink(StepStarted("a.one", "apply"))
    assert (b"\x1b" in out.bytes) is not plain


def test_no_color_leaves_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch, terminal=True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    Screen().table(["state"], [["present"], ["failed"]])
    assert b"present" in out.bytes
    assert b"\x1b[3" not in out.bytes  # no foreground colour


def test_exports_are_for_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams(monkeypatch)
    Screen().exports({"A": "it's", "B": "x"})
    assert out.bytes == b"export A='it'\"'\"'s'\nexport B=x\n"
