"""The errors a person may meet. What kind of error it is, its class says; its identifier and words are for people and ``--json``.

Nothing branches on an identifier or on a message: a caller that treats one kind of error differently catches its class, or
compares ``error_code``, the outside service's own error code.
"""

from __future__ import annotations

import errno
from typing import Self

from genai_platform.advice import Remedy


class GenaiError(Exception):
    """Something expected went wrong.

    Args:
        message: one sentence that says what, where and which value. Never a secret.
        remedy: what to do about it, a command where there is one.
        id: stable dotted identifier, e.g. ``config.unknown_key``.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: Remedy = "", id: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.id = id

    def said(self, message: str | None = None, remedy: Remedy | None = None) -> Self:
        """The same error, of the same kind, in other words or with other advice."""
        told = self.message if message is None else message
        # Not ``copy.copy``: that calls the constructor, and kinds have arguments of their own.
        other = type(self).__new__(type(self), told)
        for name, value in vars(self).items():
            setattr(other, name, value)
        other.message = told
        other.remedy = self.remedy if remedy is None else remedy
        return other


class StepError(GenaiError):
    """A step or check could not do its work; what depends on it is not attempted. Exit code 1.

    Args:
        error_code: the code that the outside service gave, e.g. ``RoleAssignmentExists``; empty where it gave none.
    """

    def __init__(self, message: str, *, remedy: Remedy = "", id: str = "failed", error_code: str = "") -> None:
        super().__init__(message, remedy=remedy, id=id)
        self.error_code = error_code


class NeverBuilt(StepError):
    """What was looked for does not exist because nothing has made it yet (or it was removed): there is nothing to wait for."""


class Invalid(StepError):
    """A service refused what the request says (HTTP 400)."""


class Unauthenticated(StepError):
    """A service did not accept who asks (HTTP 401)."""


class Forbidden(StepError):
    """A service knows who asks, and does not allow it (HTTP 403)."""


class NotFound(StepError):
    """A service does not have what the request names (HTTP 404)."""


class Conflict(StepError):
    """The state of what is there does not allow the request just now, or it exists already (HTTP 409, 412, 423)."""


class AlreadyExists(Conflict):
    """A service has already what the request would make."""


class Throttled(StepError):
    """A service was asked too often (HTTP 429)."""


class ServiceFailed(StepError):
    """A service failed to answer the request (HTTP 5xx)."""


class Unreachable(StepError):
    """A service did not answer at all: its name, the network, a proxy, or nothing that listens."""


class WaitTimeout(StepError):
    """What was waited for did not happen in time."""


class BudgetSpent(StepError):
    """LiteLLM refuses a key because its budget is spent: asking again changes nothing."""


class JobFailed(StepError):
    """A job in the cluster failed."""


_OF_STATUS: dict[int, type[StepError]] = {
    400: Invalid, 401: Unauthenticated, 403: Forbidden, 404: NotFound,
    409: Conflict, 412: Conflict, 423: Conflict, 429: Throttled,
}  # fmt: skip


def of_status(status: int) -> type[StepError]:
    """The kind of error that an HTTP status means."""
    return _OF_STATUS.get(status, ServiceFailed if status >= 500 else StepError)


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
