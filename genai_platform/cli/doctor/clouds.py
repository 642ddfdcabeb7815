"""What ``genai doctor`` looks at on the real clouds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from genai_platform.cli import preflight
from genai_platform.cli.doctor import clock, reach
from genai_platform.cli.doctor.line import Line, failed, kubernetes, langfuse, look, prices, to_lines
from genai_platform.cli.doctor.together import Look, together
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra.prerequisites import permissions, quotas, taken_names
from genai_platform.tools import libraries
from genai_platform.tools.parallel import begin

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.cli.worlds.clouds import Clouds


def _bedrock(clients: Clients) -> Iterable[Line]:
    """Whether Amazon Bedrock has the configured models, where there are any."""
    from genai_platform.steps.infra import bedrock

    return [look("models.bedrock", lambda: bedrock.look(clients))] if clients.target.settings.litellm.bedrock else []


ACCOUNT_LOOKS: tuple[tuple[str, Callable[[Clients], Iterable[Line]]], ...] = (
    ("permissions", lambda clients: to_lines(permissions.look(clients))),
    ("quota", lambda clients: to_lines(quotas.look(clients))),
    ("name", lambda clients: to_lines(taken_names.look(clients))),
    ("models.bedrock", _bedrock),
)
"""What is asked of the account in every world, each by the first word of its lines."""


def examine(run: Run, world: Clouds) -> Iterator[Line]:
    """The configuration, then what only the clouds can tell of it."""
    found: list[Target] = []

    def configuration() -> str:
        from genai_platform.steps.catalog import preflight

        target = world.away_from_here()
        found.append(target)
        run.screen.target = world.describe()
        preflight(target)
        world.need_account()
        return f"'{target.environment}' is {target.prefix} in {target.settings.platform.region}"

    yield look("configuration", configuration)
    if not found:
        yield Line("credentials", "skip", "not looked at: the configuration has faults")
        return
    target = found[0]
    # The looks go on in threads, which must not import at the same time.
    libraries.load(azure=target.settings.azure.enabled)
    yield from together(_looks(Clients(target)))


def _looks(clients: Clients) -> list[Look]:
    """All begin at once; what is asked of the account waits until it is known to be the right one."""
    settings = clients.target.settings
    account = begin(lambda: look("credentials", lambda: f"AWS account {clients.aws.confirm_account()}"), "credentials")

    def signed_in(ask: Callable[[Clients], Iterable[Line]]) -> Callable[[], Iterable[Line]]:
        return lambda: ask(clients) if account.result().state == "pass" else ()

    looks: list[Look] = [
        ("langfuse", lambda: langfuse(settings)),
        ("credentials", lambda: [account.result()]),
        ("credentials.end", signed_in(_session)),
        ("clock", lambda: [clock.look(clients)]),
        ("region", signed_in(_account)),
        *((id, signed_in(ask)) for id, ask in ACCOUNT_LOOKS),
    ]
    if settings.azure.enabled:
        looks.append(("azure", lambda: azure(clients)))
    looks += [
        ("secret", lambda: _keys(clients, seen=account.result().state == "pass")),
        ("reach", lambda: reach.look(clients)),
        ("models", lambda: _configured(settings)),
    ]
    return looks


def _configured(settings: Settings) -> Iterator[Line]:
    """What the configuration alone tells."""
    if settings.azure.enabled and settings.ingress.domain is None:
        from genai_platform.render.gateway import UNVERIFIED

        yield Line("azure.backend", "warn", UNVERIFIED, "set ingress.domain")
    yield from prices(settings)
    if not settings.litellm.models:
        yield Line("models", "fail", "litellm.models is empty", "add a [[litellm.models]] table to genai.toml")


def _session(clients: Clients) -> Iterator[Line]:
    """Whether the credentials last as long as a whole ``up``."""
    from genai_platform.steps.catalog import build, for_up

    graph = build(clients)
    minutes = preflight.minutes(clients, graph, for_up(graph, clients.target.settings).ids)
    yield look("credentials.end", lambda: preflight.credentials(clients, minutes, "`genai up`"))


def _account(clients: Clients) -> Iterator[Line]:
    settings = clients.target.settings
    yield look("region", lambda: f"{settings.platform.region} has {preflight.zones(clients)} zones")
    yield look("kubernetes", lambda: kubernetes(clients))
    if not settings.ingress.allowed_cidrs:
        yield look("address", lambda: f"this machine is {clients.aws.my_address()}; LiteLLM and Langfuse will admit it alone")


def azure(clients: Clients) -> Iterator[Line]:
    """What the Azure half needs: who we are, rights, quotas, names, callers."""
    from genai_platform.steps.azure import prerequisites

    for found in prerequisites.looks(clients):
        if found.unknown is not None:
            yield Line(found.id, "unknown", found.text, found.unknown.remedy)
        elif found.error is not None:
            yield failed(found.id, found.error)
        else:
            yield Line(found.id, "pass", found.text)


def _keys(clients: Clients, *, seen: bool) -> Iterator[Line]:
    """The models' keys: in the environment, or kept from an earlier day. ``seen``: the account can be asked."""
    from genai_platform.steps.azure.openai.account import key_variables
    from genai_platform.steps.infra.secrets import missing_key

    def kept(name: str) -> str:
        if name not in preflight.kept_keys(clients):
            if name in key_variables(clients):
                return "not set; read from the account of Azure OpenAI once that is made"
            raise missing_key(clients, name)
        return "not set; kept in Secrets Manager from an earlier day"

    for name in clients.target.settings.litellm.key_variables:
        if os.environ.get(name):
            yield Line(f"secret.{name}", "pass", "set")
        elif seen:
            yield look(f"secret.{name}", lambda name=name: kept(name))  # type: ignore[misc]
        else:
            yield Line(f"secret.{name}", "skip", f"{name} is not set; whether it was kept from an earlier day cannot be seen")
