"""What to do about an error. The program's own commands in it stay values until it is printed.

Code that gives advice does not know which options chose the environment; the command line does. It prints each command with
those options, so that a person who types it works on the same environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Command:
    """One of this program's commands, without the options that choose the environment.

    Args:
        words: what follows the program's name, e.g. ``logs litellm``.
        set: a value it changes, e.g. ``lifecycle.backup=last``; empty: none.
    """

    words: str
    set: str = ""

    def typed(self, flags: str = "") -> str:
        """The whole command line. ``flags``: as ``Options.flags`` gives them, with a leading blank."""
        # Last: of two values for the same key the later one wins.
        return f"genai {self.words}{flags}" + (f" --set {self.set}" if self.set else "")


@dataclass(frozen=True)
class Advice:
    """A sentence with commands in it.

    Args:
        text: with ``{}`` in the place of each value.
        values: commands, other advice, and text that is not known beforehand.
    """

    text: str
    values: tuple[Command | Advice | str, ...] = ()

    def typed(self, flags: str = "") -> str:
        """The sentence with ``flags`` after each command."""
        return self.text.format(*(one if isinstance(one, str) else one.typed(flags) for one in self.values))

    def __str__(self) -> str:
        return self.typed()

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands in it, in their order."""
        found: list[Command] = []
        for one in self.values:
            found += [one] if isinstance(one, Command) else one.commands if isinstance(one, Advice) else []
        return tuple(found)


Remedy: TypeAlias = Advice | str
"""What to do about an error; text where it names none of this program's commands, empty where nothing is known to help."""


def advice(text: str, *values: Command | Remedy) -> Advice:
    """A sentence with commands in it, e.g. ``advice("see why: {}", genai("logs litellm"))``."""
    return Advice(text, values)


def genai(words: str, *, set: str = "") -> Command:
    """One of this program's commands, e.g. ``genai("logs litellm")``. Args as for ``Command``."""
    return Command(words, set)


def run_genai(words: str) -> Advice:
    """The advice to run one command."""
    return advice("run: {}", genai(words))


def joined(*remedies: Remedy) -> Remedy:
    """Several remedies as one; those that are empty are left out."""
    given = tuple(one for one in remedies if one)
    return Advice("; ".join("{}" for _ in given), given) if given else ""


def typed(remedy: Remedy, flags: str = "") -> str:
    """A remedy as it is printed, with ``flags`` after each command in it."""
    return remedy if isinstance(remedy, str) else remedy.typed(flags)
