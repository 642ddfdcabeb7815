"""The options every command has, added by one decorator. A command receives them as its ``Run``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from genai_platform.cli.options import Options
from genai_platform.cli.outcome import finish
from genai_platform.errors import ConfigError


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


def command(app: typer.Typer, name: str, example: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a command: ``function(run, own options…)``; it gets the common options through its ``Run``.

    Args:
        example: a whole command line, the last line of its help.

    The function may return an exit code; expected errors become exit codes in ``cli/outcome.py``.
    """
    return lambda function: _register(function, lambda wrapped: app.command(name, epilog=f"Example: {example}")(wrapped))


def callback(app: typer.Typer, example: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register what a group does when it is called without a subcommand.

    Common options before the subcommand count for it, too: ``genai infra --sandbox plan``.
    """
    return lambda function: _register(
        function, lambda wrapped: app.callback(invoke_without_command=True, epilog=f"Example: {example}")(wrapped)
    )


def _register(function: Callable[..., int | None], register: Callable[[Any], Any]) -> Callable[..., int | None]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    @functools.wraps(function)
    def wrapped(ctx: typer.Context, **values: Any) -> None:
        options = _options(ctx, {key: values.pop(key) for key in _COMMON})
        if ctx.invoked_subcommand is None:
            finish(options, lambda run: function(run, **values))
            return
        misplaced = [parameter.name for parameter in own if _given(ctx, parameter.name)]
        if misplaced:
            finish(options, lambda run: _refuse(ctx, misplaced))
        ctx.obj = options

    shared = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for key, (annotation, default) in _COMMON.items()
    ]
    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    mine = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters = [first, *mine, *shared]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del wrapped.__wrapped__
    register(wrapped)
    return function


def _options(context: typer.Context, values: dict[str, Any]) -> Options:
    """What was given here, on top of what was given before the subcommand."""
    before = context.obj if isinstance(context.obj, Options) else Options()
    env, sets = values.pop("env"), values.pop("set")
    if before.env and not _given(context, "env"):
        env = before.env
    return Options(env=env, set=(*before.set, *(sets or ())), **{name: value or getattr(before, name) for name, value in values.items()})


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line itself."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _refuse(context: typer.Context, names: list[str]) -> int:
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in names)
    raise ConfigError(
        f"{flags} before '{context.invoked_subcommand}' would not be heard",
        remedy=f"write: {context.command_path} {context.invoked_subcommand} {flags} …",
        id="usage",
    )
