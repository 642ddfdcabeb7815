"""``genai init``: write genai.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genai_platform.cli.options import command
from genai_platform.cli.run import Run

Force = Annotated[bool, typer.Option("--force", help="Replace a genai.toml that exists.")]
Region = Annotated[str | None, typer.Option("--region", help="AWS region.", metavar="REGION")]
Account = Annotated[str | None, typer.Option("--account-id", help="The AWS account that this environment may touch.", metavar="ID")]
Base = Annotated[str | None, typer.Option("--api-base", help="Azure OpenAI address, e.g. https://NAME.openai.azure.com.", metavar="URL")]
Model = Annotated[list[str] | None, typer.Option("--model", help="An Azure OpenAI deployment. Repeatable.", metavar="NAME")]
Name = Annotated[str | None, typer.Option("--name", help="The platform's name.", metavar="NAME")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "init")
    def init(
        run: Run,
        name: Name = None,
        region: Region = None,
        account_id: Account = None,
        api_base: Base = None,
        model: Model = None,
        force: Force = False,
    ) -> None:
        """Write a commented genai.toml here, asking what is not given."""
        given = {
            "name": name,
            "region": region,
            "account_id": account_id,
            "api_base": api_base,
            "models": ", ".join(model) if model else None,
        }
        write(run, {key: value for key, value in given.items() if value is not None}, force)


def write(run: Run, given: dict[str, str], force: bool) -> None:
    """Ask, check, write."""
    from genai_platform.config.layers import FILE, Layer, validate
    from genai_platform.config.wizard import QUESTIONS, answer, document, missing, values
    from genai_platform.errors import ConfigError

    path = Path.cwd() / FILE
    if path.exists() and not force:
        raise ConfigError(f"{FILE} exists already", remedy="edit it, or give --force to replace it", id="init.exists")
    defaults = {"account_id": _account() or ""} if "account_id" not in given else {}
    if run.screen.interactive and not run.options.yes:
        answers = {question.key: given.get(question.key) or answer(question, defaults.get(question.key), _ask) for question in QUESTIONS}
    else:
        answers = {question.key: given.get(question.key) or defaults.get(question.key) or question.default for question in QUESTIONS}
        without = missing(answers)
        if without:
            raise ConfigError(
                f"there is no terminal to ask for: {', '.join(question.text for question in without)}",
                remedy=f"give {' '.join(f'{question.flag} …' for question in without)}",
                id="init.no_terminal",
            )
    validate([Layer("init", values(answers))])
    path.write_text(document(answers), encoding="utf-8")
    run.screen.tell(f"wrote {path}")
    run.screen.tell("next: genai doctor, then genai up (or, without any account: genai up --sandbox)")
    run.screen.document({"ok": True, "file": str(path)})


def _ask(text: str) -> str:
    return str(typer.prompt(text, default="", show_default=False))


def _account() -> str | None:
    """The account of the credentials at hand, as a suggestion."""
    from genai_platform.config.endpoints import Endpoints
    from genai_platform.config.settings import Settings
    from genai_platform.config.target import Target
    from genai_platform.errors import GenaiError

    try:
        from genai_platform.tools.aws import Aws

        return Aws(Target("default", Settings(), Endpoints(), Path.cwd())).account_id()
    except GenaiError:
        return None
