"""What ``genai doctor`` looks at. Every look gives a line; none stops the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genai_platform.errors import GenaiError, unexpected

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.config.settings import Settings
    from genai_platform.config.target import Target
    from genai_platform.steps.clients import Clients


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    id: str
    state: Literal["pass", "fail", "skip", "warn"]
    """``warn``: allowed, and worth knowing; no problem that stops a start."""
    text: str
    remedy: str = ""


def examine(run: Run) -> list[Line]:
    """Look at everything that a run needs before it starts."""
    run.screen.target = f"'{run.options.environment}'" + (": sandbox on this machine" if run.options.sandbox else "")
    lines = [_python(), _folder(run), *_programs(run)]
    lines += _sandbox(run) if run.options.sandbox else _real(run)
    return lines


def _look(id: str, look: Callable[[], str]) -> Line:
    try:
        return Line(id, "pass", look())
    except GenaiError as error:
        return Line(id, "fail", error.message, error.remedy or "see the message")
    except Exception as error:
        fault = unexpected(error)
        return Line(id, "fail", fault.message, fault.remedy)


def _python() -> Line:
    found = ".".join(map(str, sys.version_info[:3]))
    return Line("python", "pass", f"Python {found}")


def _folder(run: Run) -> Line:
    if os.access(run.project, os.W_OK):
        return Line("folder", "pass", str(run.project))
    return Line("folder", "fail", f"{run.project} is not writable", "change to a folder of your own")


def _programs(run: Run) -> Iterator[Line]:
    from genai_platform.programs import PROGRAMS, find

    names = ["terraform", "helm"]
    if run.options.sandbox:
        names += ["etcd", "kube-apiserver", "kube-controller-manager"]
    for name in names:
        found = _look(f"program.{name}", lambda name=name: _short(find(name)))  # type: ignore[misc]
        if found.state == "fail" and (minutes := PROGRAMS[name].minutes_to_build()):
            found = Line(found.id, "skip", f"not here yet; `genai up` makes it, once (at most about {minutes:g} min)")
        yield found


def _short(path: Path) -> str:
    """A path as one would type it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _real(run: Run) -> Iterator[Line]:
    from genai_platform.cli.worlds.target import resolve, words
    from genai_platform.steps.catalog import preflight

    target: list[Target] = []

    def configuration() -> str:
        target.append(resolve(run.options, run.screen, verify_account=False))
        run.screen.target = words(target[0])
        preflight(target[0])
        settings = target[0].settings
        if settings.aws.account_id is None:
            from genai_platform.errors import ConfigError

            raise ConfigError("aws.account_id is not set", remedy="run: genai init (or, without any account: --sandbox)")
        return f"'{target[0].environment}' is {target[0].prefix} in {settings.platform.region}"

    yield _look("configuration", configuration)
    yield from _langfuse(target)
    if not target:
        yield Line("credentials", "skip", "not looked at: the configuration has faults")
        return
    from genai_platform.cli import preflight as preflights
    from genai_platform.steps.clients import Clients

    clients, settings = Clients(target[0]), target[0].settings
    account = _look("credentials", lambda: f"AWS account {clients.aws.confirm_account()}")
    yield account
    if account.state == "pass":
        yield _look("region", lambda: f"{settings.platform.region} has {preflights.zones(clients)} zones")
        yield _look("kubernetes", lambda: _kubernetes(clients))
        if not settings.ingress.allowed_cidrs:
            yield _look("address", lambda: f"this machine is {clients.aws.my_address()}; LiteLLM and Langfuse will admit it alone")
    if settings.azure.enabled:
        yield from _azure(clients)
    yield from _keys(clients, seen=account.state == "pass")
    yield from _notices(settings)
    if not settings.litellm.models:
        yield Line("models", "fail", "litellm.models is empty", "add a [[litellm.models]] table to genai.toml")


def _langfuse(target: list[Target]) -> Iterator[Line]:
    """Until when Langfuse's chart line gets security fixes. Nothing stops because of it."""
    from datetime import date

    from genai_platform.render.chart import support

    if target and (text := support(target[0].settings, date.today())):
        yield Line("langfuse", "skip", text)


def _kubernetes(clients: Clients) -> str:
    from genai_platform.steps.infra import cluster_version

    found = cluster_version.look(clients)
    return found.notice or f"EKS offers {found.version}"


def _keys(clients: Clients, *, seen: bool) -> Iterator[Line]:
    """The models' keys: in the environment, or kept from an earlier day. ``seen``: the account can be asked."""
    from genai_platform.cli.preflight import kept_keys
    from genai_platform.steps.infra.secrets import missing_key, upstream_variables

    def kept(name: str) -> str:
        if name not in kept_keys(clients):
            raise missing_key(clients, name)
        return "not set; kept in Secrets Manager from an earlier day"

    for name in upstream_variables(clients):
        if os.environ.get(name):
            yield Line(f"secret.{name}", "pass", "set")
        elif seen:
            yield _look(f"secret.{name}", lambda name=name: kept(name))  # type: ignore[misc]
        else:
            yield Line(f"secret.{name}", "skip", f"{name} is not set; whether it was kept from an earlier day cannot be seen")


def _notices(settings: Settings) -> Iterator[Line]:
    """What is allowed and not what everybody would expect."""
    from genai_platform.render import gateway, prices

    if settings.azure.enabled and settings.ingress.domain is None:
        yield Line("azure.backend", "warn", gateway.UNVERIFIED, "set ingress.domain")
    if unpriced := prices.notices(settings):
        yield from (Line("models.price", "warn", text) for text in unpriced)
    elif settings.litellm.models:
        yield Line("models.price", "pass", "LiteLLM has a price for every model")


def _azure(clients: Clients) -> Iterator[Line]:
    from genai_platform.steps.azure import prerequisites

    try:
        for found in prerequisites.looks(clients):
            if found.error is None:
                yield Line(found.id, "pass", found.text)
            else:
                yield Line(found.id, "fail", found.text, found.error.remedy or "see the message")
    except Exception as error:
        fault = unexpected(error)
        yield Line("azure", "fail", fault.message, fault.remedy)


def _sandbox(run: Run) -> Iterator[Line]:
    from genai_platform.cli.worlds import sandbox as sandboxes
    from genai_platform.config.endpoints import Endpoints
    from genai_platform.config.layers import load
    from genai_platform.config.target import Target
    from genai_platform.steps.catalog import preflight

    target: list[Target] = []

    def configuration() -> str:
        settings = load(run.project, run.options.environment, sets=run.options.set).settings
        target.append(Target(run.options.environment, settings, Endpoints(), run.project / ".genai" / run.options.environment))
        preflight(target[0])
        return f"valid, {len(settings.litellm.models)} models"

    yield _look("configuration", configuration)
    yield from _langfuse(target)
    yield from (line for one in target for line in _notices(one.settings) if line.id == "models.price")
    if sys.platform != "linux":
        yield Line("system", "fail", f"the sandbox needs Linux, this is {sys.platform}", "use a Linux machine or container")
    if absent := sandboxes.missing_packages():
        yield Line("sandbox.packages", "fail", f"missing: {', '.join(absent)}", "install the extra: pip install 'genai-platform[sandbox]'")
    else:
        yield Line("sandbox.packages", "pass", "all installed")
        yield _look("sandbox.ports", lambda: sandboxes.ports(run.project, run.options.environment))
        if (standing := sandboxes.standing(run.options)) is not None:
            from genai_platform.steps.clients import Clients

            yield _look("kubernetes", lambda: _kubernetes(Clients(standing)))
