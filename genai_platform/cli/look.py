"""``genai open``, ``logs`` and ``env``: look into what exists."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run


class Application(StrEnum):
    """What can be opened."""

    LITELLM = "litellm"
    LANGFUSE = "langfuse"


What = Annotated[Application, typer.Argument(help="Which one.", show_default=False)]
Name = Annotated[
    str, typer.Argument(help="A workload, e.g. litellm, langfuse-web, langfuse-worker, langfuse-clickhouse.", show_default=False)
]
Tail = Annotated[int, typer.Option("--tail", help="How many lines of each pod.", min=1, max=100000)]
Login = Annotated[bool, typer.Option("--login", help="Also print how to sign in: user and password.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, "open")
    def open_(run: Run, application: What, login: Login = False) -> int:
        """Print the address of an application and open it in a browser."""
        return show_address(run, application, login)

    @command(app, "logs")
    def logs(run: Run, workload: Name, tail: Tail = 50) -> int:
        """Show the last lines of a workload's pods."""
        return show_logs(run, workload, tail)

    @command(app, "env")
    def env(run: Run) -> None:
        """Print shell exports for clients of this environment. They hold keys."""
        show_environment(run)


def show_address(run: Run, application: Application, login: bool) -> int:
    """Print, and open where there is a desktop and a person."""
    import webbrowser

    from genai_platform.errors import StepError
    from genai_platform.render.addresses import protection

    url = run.clients.address(application.value)
    if url is None:
        raise StepError(f"{application.value} has no address yet", remedy=f"run: genai status{run.flags}", id="open.no_address")
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
    return 0


def show_logs(run: Run, workload: str, tail: int) -> int:
    """The logs of every pod whose name begins with the workload's, with secrets hidden: they are pasted into tickets."""
    from genai_platform.config.target import NAMESPACE
    from genai_platform.errors import StepError
    from genai_platform.tools.kubernetes.wait import redactor

    kube = run.clients.kube
    names = [str(pod["metadata"]["name"]) for pod in kube.list("v1", "Pod", NAMESPACE)]
    chosen = [name for name in names if name == workload or name.startswith(f"{workload}-")]
    if not chosen:
        raise StepError(f"no pod of '{workload}' in {NAMESPACE}", remedy=f"pods: {', '.join(sorted(names)) or 'none'}", id="logs.no_pod")
    hide = redactor(_secret_values(run))
    found = {}
    for name in chosen:
        found[name] = hide(kube.logs(name, NAMESPACE, tail=tail))
        run.screen.tell(f"== {name}")
        run.screen.tell(found[name].rstrip())
    run.screen.document({"logs": found})
    return 0


def _secret_values(run: Run) -> Iterator[str]:
    """What is known to be secret; nothing while no secrets were made, and then only what looks like one is hidden."""
    from genai_platform.tools.aws.client import reveal

    stored = run.clients.aws.platform_secrets()
    for value in reveal(stored).values() if stored else ():
        # The keys of models are a table of their own.
        yield from value.values() if isinstance(value, dict) else (value,)


def show_environment(run: Run) -> None:
    """What a client needs, as exports."""
    if run.options.sandbox:
        from genai_platform.cli.sandbox import environment

        environment(run)
        return
    from genai_platform.cli.endpoints import endpoints

    secrets, addresses = run.clients.secrets(), endpoints(run)
    found = {"KUBECONFIG": str(run.clients.kube.kubeconfig()), "AWS_REGION": run.target.settings.platform.region}
    if url := addresses.get("litellm"):
        found |= {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": secrets.litellm_master_key.get_secret_value()}
    if url := addresses.get("langfuse"):
        found |= {
            "LANGFUSE_HOST": url,
            "LANGFUSE_PUBLIC_KEY": secrets.langfuse_public_key.get_secret_value(),
            "LANGFUSE_SECRET_KEY": secrets.langfuse_secret_key.get_secret_value(),
        }
    authority = run.target.folder / "ca.pem"
    if authority.exists():
        found["SSL_CERT_FILE"] = str(authority)
    run.screen.exports(found)
