"""What ``genai doctor`` looks at. Every look gives a line; none stops the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genai_platform.errors import GenaiError

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.config.target import Target


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    id: str
    state: Literal["pass", "fail", "skip"]
    text: str
    remedy: str = ""


def examine(run: Run) -> list[Line]:
    """Look at everything that a run needs before it starts."""
    lines = [_python(), _folder(run), *_programs(run)]
    lines += _sandbox(run) if run.options.sandbox else _real(run)
    return lines


def _look(id: str, look: Callable[[], str]) -> Line:
    try:
        return Line(id, "pass", look())
    except GenaiError as error:
        return Line(id, "fail", error.message, error.remedy or "see the message")
    except Exception as error:
        return Line(id, "fail", f"unexpected {type(error).__name__}: {error}", "run again with --verbose")


def _python() -> Line:
    found = ".".join(map(str, sys.version_info[:3]))
    return Line("python", "pass", f"Python {found}")


def _folder(run: Run) -> Line:
    if os.access(run.project, os.W_OK):
        return Line("folder", "pass", str(run.project))
    return Line("folder", "fail", f"{run.project} is not writable", "change to a folder of your own")


def _programs(run: Run) -> Iterator[Line]:
    from genai_platform.toolchain import PROGRAMS, find

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
    from genai_platform.cli.target import resolve
    from genai_platform.steps.catalog import preflight

    target: list[Target] = []

    def configuration() -> str:
        target.append(resolve(run, verify_account=False))
        preflight(target[0])
        settings = target[0].settings
        if settings.aws.account_id is None:
            from genai_platform.errors import ConfigError

            raise ConfigError("aws.account_id is not set", remedy="run: genai init (or, without any account: --sandbox)")
        return f"'{target[0].environment}' is {target[0].prefix} in {settings.platform.region}"

    yield _look("configuration", configuration)
    if not target:
        yield Line("credentials", "skip", "not looked at: the configuration has faults")
        return
    from genai_platform.cli.preflight import zones as preflight_zones
    from genai_platform.steps.doors import Doors
    from genai_platform.tools.aws import Aws

    aws = Aws(target[0])
    settings = target[0].settings
    account = _look("credentials", lambda: f"AWS account {aws.confirm_account()}")
    yield account
    if account.state == "pass":
        yield _look("region", lambda: f"{settings.platform.region} has {preflight_zones(Doors(target[0], aws=aws))} zones")
        if not settings.ingress.allowed_cidrs:
            yield _look("address", lambda: f"this machine is {aws.my_address()}; LiteLLM and Langfuse will admit it alone")
    if settings.azure.enabled:
        yield from _azure(target[0])
    keys = sorted({model.api_key_env for model in settings.litellm.models})
    for name in keys:
        if os.environ.get(name):
            yield Line(f"secret.{name}", "pass", "set")
        else:
            yield Line(f"secret.{name}", "skip", f"{name} is not set; needed at the first `genai up`, which keeps it in Secrets Manager")
    if not settings.litellm.models:
        yield Line("models", "fail", "litellm.models is empty", "add a [[litellm.models]] table to genai.toml")


def _azure(target: Target) -> Iterator[Line]:
    from genai_platform.steps.azure import questions
    from genai_platform.steps.doors import Doors

    for found in questions.looks(Doors(target)):
        if found.error is None:
            yield Line(found.id, "pass", found.text)
        else:
            yield Line(found.id, "fail", found.text, found.error.remedy or "see the message")


def _sandbox(run: Run) -> Iterator[Line]:
    from genai_platform.cli.target import missing_packages
    from genai_platform.config.endpoints import Endpoints
    from genai_platform.config.layers import load
    from genai_platform.config.target import Target
    from genai_platform.steps.catalog import preflight

    def configuration() -> str:
        settings = load(run.project, run.options.environment, sets=run.sets).settings
        preflight(Target(run.options.environment, settings, Endpoints(), run.project / ".genai" / run.options.environment))
        return f"valid, {len(settings.litellm.models) or 'default'} models"

    yield _look("configuration", configuration)
    if sys.platform != "linux":
        yield Line("system", "fail", f"the sandbox needs Linux, this is {sys.platform}", "use a Linux machine or container")
    if absent := missing_packages():
        yield Line("sandbox.packages", "fail", f"missing: {', '.join(absent)}", "install the extra: pip install 'genai-platform[sandbox]'")
    else:
        yield Line("sandbox.packages", "pass", "all installed")
        yield _look("sandbox.ports", lambda: _ports(run))


def _ports(run: Run) -> str:
    """A sandbox that exists keeps its ports: whoever else took one is named."""
    from genai_platform.cli.target import sandboxes, world_folder
    from genai_platform.errors import MissingError
    from genai_platform.sandbox import processes, supervisor
    from genai_platform.sandbox.place import Place

    environment = run.options.environment
    if environment not in sandboxes(run.project):
        return "chosen at the start, from free ones"
    place = Place.open(world_folder(run.project, environment))
    if supervisor.running(place):
        return "in use by this sandbox, which runs"
    for name, number in place.ports.items():
        holder = processes.port_holder(number)
        if holder is not None:
            raise MissingError(f"port {number} ({name}) is taken by {holder}", remedy="stop that program, or: genai sandbox remove")
    return "free"
