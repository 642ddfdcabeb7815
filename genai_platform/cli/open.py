"""``genai open``: the address of an application, in a browser."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from genai_platform.advice import run_genai
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import StepError


class Application(StrEnum):
    """What can be opened."""

    LITELLM = "litellm"
    LANGFUSE = "langfuse"


What = Annotated[Application, typer.Argument(help="Which one.", show_default=False)]
Login = Annotated[bool, typer.Option("--login", help="Also print how to sign in: user and password.")]
app = typer.Typer()


@command(app, "open", "genai open langfuse --login")
def open_(run: Run, application: What, login: Login = False) -> None:
    """Print the address of an application and open it in a browser."""
    import webbrowser

    from genai_platform.render.addresses import protection

    url = run.clients.address(application.value)
    if url is None:
        raise StepError(f"{application.value} has no address yet", remedy=run_genai("status"), id="open.no_address")
    page = f"{url}/ui" if application is Application.LITELLM else url
    run.screen.tell(page)
    if note := protection(run.target.settings):
        run.screen.say(note)
    content = {"url": page}
    if login:
        secrets = run.clients.secrets()
        if application is Application.LITELLM:
            user, password = "admin", secrets.litellm_master_key
        else:
            user, password = run.target.settings.langfuse.user_email, secrets.langfuse_user_password
        run.screen.tell(f"user: {user}")
        run.screen.tell(f"password: {password.get_secret_value()}")
        content |= {"user": user, "password": password.get_secret_value()}
    if run.screen.interactive and not run.screen.json:
        webbrowser.open(page)
    run.screen.document(content)
