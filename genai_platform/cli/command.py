"""Gives every command the common options, by one decorator. A command receives them as its ``Run``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, get_args, get_type_hints

import typer

from genai_platform.cli.options import Options, Texts
from genai_platform.cli.outcome import finish
from genai_platform.errors import ConfigError


def command(app: typer.Typer, name: str, *examples: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a command: ``function(run, own options…)``; it gets the common options through its ``Run``.

    Args:
        examples: whole command lines, the last lines of its help.

    The function may return an exit code; expected errors become exit codes in ``cli/outcome.py``.
    """
    epilog = "\n\n".join(f"Example: {example}" for example in examples)
    return lambda function: _register(function, app.command(name, epilog=epilog))


def callback(app: typer.Typer, example: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register what a group does when it is called without a subcommand.

    Common options before the subcommand count for it, too: ``genai infra --env dev plan``.
    """
    return lambda function: _register(function, app.callback(invoke_without_command=True, epilog=f"Example: {example}"))


def _register(function: Callable[..., int | None], register: Callable[[Any], Any]) -> Callable[..., int | None]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    @functools.wraps(function)
    def wrapped(ctx: typer.Context, **values: Any) -> None:
        options = _options(ctx, {name: values.pop(name) for name in _COMMON})
        if ctx.invoked_subcommand is None:
            finish(options, lambda run: function(run, **values))
            return
        misplaced = [parameter.name for parameter in own if _given(ctx, parameter.name)]
        if misplaced:
            finish(options, lambda run: _refuse(ctx, misplaced))
        ctx.obj = options

    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    mine = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters = [first, *mine, *_COMMON.values()]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del wrapped.__wrapped__
    register(wrapped)
    return function


def _common() -> dict[str, inspect.Parameter]:
    """The fields of ``Options`` as parameters that Typer reads. It collects what may be given several times in a list."""
    hints = get_type_hints(Options, include_extras=True)
    found: dict[str, inspect.Parameter] = {}
    for field in fields(Options):
        hint, default = hints[field.name], field.default
        kind, option = get_args(hint)
        if kind == Texts:
            hint, default = Annotated[list[str] | None, option], None
        found[field.name] = inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
    return found


_COMMON = _common()


def _options(context: typer.Context, values: dict[str, Any]) -> Options:
    """What was given here, on top of what was given before the subcommand."""
    before = context.obj if isinstance(context.obj, Options) else Options()
    env, sets = values.pop("env"), values.pop("set")
    if before.env and not _given(context, "env"):
        env = before.env
    return Options(env=env, set=(*before.set, *(sets or ())), **{name: value or getattr(before, name) for name, value in values.items()})


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option is given on the command line itself."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _refuse(context: typer.Context, names: list[str]) -> int:
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in names)
    raise ConfigError(
        f"{flags} before '{context.invoked_subcommand}' would not be heard",
        remedy=f"write: {context.command_path} {context.invoked_subcommand} {flags} …",
        id="usage",
    )
