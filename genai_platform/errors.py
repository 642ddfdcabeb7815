"""The errors a person may meet. Each knows its identifier, its exit code and what to do about it."""

from __future__ import annotations

import errno


class GenaiError(Exception):
    """Something expected went wrong.

    Args:
        message: one sentence that says what, where and which value. Never a secret.
        remedy: what to do about it, a command where there is one.
        id: stable dotted identifier, e.g. ``config.unknown_key``.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "", id: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.id = id


class StepError(GenaiError):
    """A step or check could not do its work; what depends on it is not attempted. Exit code 1."""


class Declined(GenaiError):
    """A person said no, or nobody could be asked. Exit code 1."""


class ConfigError(GenaiError):
    """Wrong usage or configuration. Exit code 2; nothing was changed."""

    exit_code = 2


class MissingError(GenaiError):
    """Something needed is missing on this machine or in the account. Exit code 3; nothing was changed."""

    exit_code = 3


class Interrupted(GenaiError):
    """Ctrl-C. Exit code 130."""

    exit_code = 130

    def __init__(self, message: str = "interrupted") -> None:
        super().__init__(message, remedy="run the same command again to go on", id="interrupted")


def unexpected(error: BaseException) -> GenaiError:
    """A fault of this program or of a library, told without its insides.

    The message ends with the place where it came up. It never shows local variables: they may hold secrets.
    """
    first = (str(error).splitlines() or [""])[0][:300]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f"{error.filename}: " if error.filename else ""
        return GenaiError(
            f"{where}there is no room left on the disk ({error.strerror})",
            remedy="make room in the project folder's file system, and in the one for temporary files (or set TMPDIR to another), "
            "then run the same command again",
            id="system.disk",
        )
    if isinstance(error, OSError) and error.filename and error.strerror:
        # Nobody's fault: the machine refused a file.
        return GenaiError(
            f"{error.filename}: {error.strerror}", remedy="look at that file or folder, then run the same command again", id="system"
        )
    kind, place, trace = type(error).__name__, "", error.__traceback__
    while trace:
        place = f" ({trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno})"
        trace = trace.tb_next
    return GenaiError(
        f"unexpected {kind}{f': {first}' if first else ''}{place}",
        remedy="report it with this line, and run the same command again",
        id="unexpected",
    )
