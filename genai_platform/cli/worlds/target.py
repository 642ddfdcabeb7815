"""Which world a command works on: decided here and nowhere else.

A real environment pins its account, and any other identity is refused before anything is read. What is special about a
sandbox stands in ``cli/sandboxes.py``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from genai_platform.cli import fetch_programs
from genai_platform.cli.paths import state_folder, state_path
from genai_platform.config.endpoints import Endpoints, is_loopback, refuse_loopback
from genai_platform.config.layers import load, project_folder
from genai_platform.config.sandbox import is_sandbox
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError
from genai_platform.steps import catalog

if TYPE_CHECKING:
    from genai_platform.cli.options import Options
    from genai_platform.config.settings import Settings
    from genai_platform.ui.screen import Screen


def resolve(options: Options, screen: Screen, *, start: bool = False, verify_account: bool = True, building: bool = False) -> Target:
    """The target of a command.

    Args:
        screen: hears what is fetched or started.
        start: start every part of the sandbox that does not run.
        building: first look for what is wrong before anything is changed, and get the programs that are missing; with
            ``start``, make the sandbox when there is none.
        verify_account: look who we are before anything else is read; False for commands that touch no cloud.

    Raises:
        ConfigError: a fault in the configuration, a loopback endpoint, no pinned account, or another one than that.
        MissingError: the sandbox does not run.
    """
    if options.sandbox:
        from genai_platform.cli.worlds import sandbox as sandboxes

        return sandboxes.enter(options, screen, start=start, building=building)
    environment, project = options.environment, project_folder()
    refuse_loopback(os.environ)
    loaded = load(project, environment, sets=options.set)
    for model in loaded.settings.litellm.models:
        if is_loopback(model.api_base):
            raise ConfigError(
                f"litellm.models: {model.name}: api_base points to this machine ({model.api_base}), and this is a run on the real clouds",
                remedy="give the address of the Azure OpenAI resource, or --sandbox",
                id="target.loopback",
            )
    target = Target(environment, loaded.settings, Endpoints(), state_path(project, environment))
    if building:
        catalog.preflight(target)
    if verify_account:
        _verify_account(target)
    if building:
        fetch_programs.provide(screen, sandbox=False)
    # Not before everything was found right: a refusal writes nothing.
    state_folder(project, environment)
    return target


def words(target: Target) -> str:
    """Which world that is, for people: every table and question names it."""
    return named(target.environment, target.settings)


def named(environment: str, settings: Settings) -> str:
    """As ``words``, for what is only configured."""
    if is_sandbox(environment):
        return f"'{environment}': sandbox on this machine"
    account, subscription = settings.aws.account_id or "(not set)", settings.azure.subscription_id or "(not set)"
    azure = f", Azure subscription {subscription}" if settings.azure.enabled else ""
    return f"'{environment}': AWS account {account}, {settings.platform.region}{azure}"


def _verify_account(target: Target) -> None:
    pinned = target.settings.aws.account_id
    if pinned is None:
        raise ConfigError(
            f"aws.account_id is not set for the environment '{target.environment}'",
            remedy="run: genai init (or set it in genai.toml); for a run without any account: --sandbox",
            id="config.account_not_pinned",
        )
    if target.settings.azure.enabled:
        from genai_platform.tools.azure.credentials import pinned as pinned_in_azure

        pinned_in_azure(target)
    from genai_platform.tools.aws.client import Aws

    Aws(target).confirm_account()
