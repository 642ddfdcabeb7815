"""The options every command has, added by one decorator. A command receives them as its ``Run``."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from genai_platform.errors import ConfigError

_NAME = re.compile(r"^[a-z][a-z0-9-]{0,15}$")


@dataclass(frozen=True)
class Options:
    """What the common options say."""

    env: str | None = None
    sandbox: bool = False
    set: tuple[str, ...] = ()
    yes: bool = False
    json: bool = False
    plain: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def environment(self) -> str:
        """``default``, the name given, ``sandbox`` or ``sandbox-NAME``.

        Raises:
            ConfigError: the name cannot be part of names in the clouds, or is the sandbox's.
        """
        name = self.env or None
        if name and not _NAME.match(name):
            raise ConfigError(
                f"--env {name}: a name is lower-case letters, digits and hyphens, a letter first, at most 16 characters",
                remedy="give another name, e.g. --env dev",
                id="usage.environment",
            )
        if self.sandbox:
            if name in (None, "default", "sandbox"):
                return "sandbox"
            assert name
            return name if name.startswith("sandbox-") else f"sandbox-{name}"
        if name and (name == "sandbox" or name.startswith("sandbox-")):
            raise ConfigError(f"--env {name}: that is a sandbox's name", remedy="give --sandbox", id="usage.environment")
        return name or "default"


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, **more)


_COMMON: dict[str, tuple[Any, Any]] = {
    "env": (Annotated[str | None, _option("--env", help="The environment to work on.", metavar="NAME", envvar="GENAI_ENV")], None),
    "sandbox": (Annotated[bool, _option("--sandbox", help="Work on a sandbox on this machine, without any cloud account.")], False),
    "set": (
        Annotated[list[str] | None, _option("--set", help="Set one value, e.g. litellm.replicas=2. Repeatable.", metavar="KEY=VALUE")],
        None,
    ),
    "yes": (Annotated[bool, _option("--yes", "-y", help="Do not ask.")], False),
    "json": (Annotated[bool, _option("--json", help="One JSON document on standard output.")], False),
    "plain": (Annotated[bool, _option("--plain", help="Lines only, no live table.")], False),
    "quiet": (Annotated[bool, _option("--quiet", "-q", help="Results and errors only.")], False),
    "verbose": (Annotated[bool, _option("--verbose", "-v", help="More detail.")], False),
}


def command(app: typer.Typer, name: str, **settings: Any) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a command: ``function(run, own options…)``; it gets the common options through its ``Run``.

    The function may return an exit code; expected errors become exit codes in ``cli/outcome.py``.
    """
    return lambda function: _register(function, lambda wrapped: app.command(name, **settings)(wrapped))


def callback(app: typer.Typer, **settings: Any) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register what a group does when it is called without a subcommand."""
    return lambda function: _register(function, lambda wrapped: app.callback(invoke_without_command=True, **settings)(wrapped), group=True)


def _register(function: Callable[..., int | None], register: Callable[[Any], Any], *, group: bool = False) -> Callable[..., int | None]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    @functools.wraps(function)
    def wrapped(**values: Any) -> None:
        from genai_platform.cli.outcome import finish

        common = {key: values.pop(key) for key in _COMMON}
        common["set"] = tuple(common["set"] or ())
        if group:
            context: typer.Context = values.pop("ctx")
            if context.invoked_subcommand is not None:
                return
        finish(Options(**common), lambda run: function(run, **values))

    shared = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for key, (annotation, default) in _COMMON.items()
    ]
    first = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)] if group else []
    mine = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters = [*first, *mine, *shared]
    signature = inspect.Signature(parameters)
    wrapped.__signature__ = signature  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del wrapped.__wrapped__
    register(wrapped)
    return function
