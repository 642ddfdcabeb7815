"""What a command shows: text for people, one JSON document for programs, questions, tables.

With ``--json`` the document alone goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from genai_platform.advice import typed
from genai_platform.engine.events import Sink, now
from genai_platform.engine.running import QUIET
from genai_platform.errors import Declined, GenaiError
from genai_platform.ui.text import clean, columns, is_terminal, prepare_streams, since

if TYPE_CHECKING:
    from genai_platform.engine.forecast import Forecast

SCHEMA = 1


class Screen:
    """Where a command's output goes.

    Args:
        json: one document on standard output; people's text on standard error.
        plain: lines only, even on a terminal.
        quiet: results and errors only.
        verbose: details, too.
    """

    def __init__(self, *, json: bool = False, plain: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        prepare_streams()
        self.json, self.quiet, self.verbose = json, quiet, verbose
        self.environment = "default"
        self.target = ""
        """Which world that is, in words; known once the command has entered it."""
        self.live = not plain and not quiet and is_terminal(self.stream) and os.environ.get("TERM") != "dumb"
        self._answered = False
        self.lines = False
        """JSON Lines: with ``--json`` every document is one line, and there may be many. A failure is the last of them."""

    @property
    def stream(self) -> TextIO:
        """Where people's text goes."""
        return sys.stderr if self.json else sys.stdout

    # -- text -------------------------------------------------------------------------------------
    def say(self, text: str) -> None:
        """Something worth knowing; not with ``--quiet``."""
        if not self.quiet:
            self.tell(text)

    def tell(self, text: str = "") -> None:
        """A result: always shown."""
        print(clean(text), file=self.stream, flush=True)

    def clear(self) -> None:
        """Begin at the top again; on a terminal only."""
        if self.live:
            print("\x1b[H\x1b[2J", end="", file=self.stream, flush=True)

    def detail(self, text: str) -> None:
        """Only with ``--verbose``."""
        if self.verbose:
            print(clean(text), file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Something in addition to the result, on standard error; not with ``--quiet``."""
        if not self.quiet:
            print(clean(text), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """A warning, on standard error."""
        print(f"warning: {clean(text)}", file=sys.stderr, flush=True)

    def error(self, error: GenaiError) -> None:
        """One error line, one suggestion; with ``--json`` the failure document, unless there was a document already."""
        print(f"error: {clean(error.message)}", file=sys.stderr)
        if error.remedy:
            print(f"  -> {clean(typed(error.remedy))}", file=sys.stderr)
        sys.stderr.flush()
        if self.json and (self.lines or not self._answered):
            self.document({"error": {"id": error.id, "message": error.message, "remedy": typed(error.remedy)}})

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
        """A table: aligned columns in plain text, drawn by rich on a terminal."""
        if self.live:
            from genai_platform.ui.rich_view import draw_table

            draw_table(self.stream, headers, rows, title)
            return
        if title:
            self.tell(title)
        for line in columns([headers, *rows]):
            self.tell(f"  {line}")

    # -- documents --------------------------------------------------------------------------------
    def document(self, content: Mapping[str, Any]) -> None:
        """The one JSON document of this command (nothing without ``--json``), UTF-8 whatever the locale says. See ``lines``."""
        if not self.json:
            return
        self._answered = True
        head = {"schema": SCHEMA, "environment": self.environment} | ({"target": self.target} if self.target else {})
        text = json.dumps({**head, **content}, ensure_ascii=False, indent=None if self.lines else 2) + "\n"
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:
            sys.stdout.write(text)
        else:
            sys.stdout.flush()
            buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()

    def exports(self, variables: Mapping[str, str]) -> None:
        """Lines for ``eval`` in a POSIX shell; with ``--json`` a document. Only for commands whose purpose it is: they hold keys."""
        if self.json:
            self.document({"variables": dict(variables)})
            return
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()

    # -- questions --------------------------------------------------------------------------------
    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return is_terminal(sys.stdin) and is_terminal(self.stream)

    def ask(self, question: str) -> str:
        """One line from the person. Raises ``Declined`` when their input has ended."""
        print(f"{clean(question)}: ", end="", file=self.stream, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise Declined("nothing was answered", id="declined")
        return answer.rstrip("\n")

    def confirm(self, question: str) -> None:
        """Ask; the default is No.

        Raises:
            Declined: the answer was not yes, or nobody can be asked; the remedy then names ``--yes``.
        """
        if not self.interactive:
            raise Declined(f"this needs a yes and there is no terminal to ask: {question}", remedy="give --yes", id="declined.no_terminal")
        print(f"{clean(question)} [y/N] ", end="", file=self.stream, flush=True)
        answer = sys.stdin.readline().strip().lower()
        if answer not in ("y", "yes"):
            raise Declined("declined: nothing was changed", id="declined")

    # -- looking ----------------------------------------------------------------------------------
    @contextmanager
    def looking(self, ids: Iterable[str]) -> Iterator[Callable[[str], None]]:
        """Say what is still being looked at: on a terminal in a line that goes away again, elsewhere once it takes long.

        Yields:
            To be called with each that was looked at.
        """
        left, lock, began = list(ids), threading.Lock(), now()
        total = len(left)

        def told() -> str:
            return f"looking: {total - len(left)} of {total}" + (f"; still at {', '.join(left[:3])}" if 0 < len(left) <= 3 else "")

        def one_less(id: str) -> None:
            with lock:
                left.remove(id)
                if self.live:
                    print(f"\r\x1b[2K{told()} ", end="", file=self.stream, flush=True)

        def remind() -> None:
            with lock:
                self.note(f"{told()}{since(began, now(), None)}")

        late = threading.Timer(QUIET, remind)
        late.daemon = True
        if not self.live:
            late.start()
        try:
            yield one_less
        finally:
            late.cancel()
            if self.live:
                print("\r\x1b[2K", end="", file=self.stream, flush=True)

    # -- steps ------------------------------------------------------------------------------------
    @contextmanager
    def follow(self, ids: Sequence[str], what: str = "steps", forecast: Forecast | None = None) -> Iterator[Sink]:
        """Show the events of a run: a live table on a terminal, else one line per event."""
        if self.quiet:
            yield lambda event: None
        elif self.live:
            from genai_platform.ui.rich_view import LiveSteps

            with LiveSteps(self.stream, ids, what, forecast) as live:
                yield live
        else:
            from genai_platform.ui.lines import EventLines

            yield EventLines(self.stream)
