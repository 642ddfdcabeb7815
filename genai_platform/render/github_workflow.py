"""A workflow of GitHub Actions that runs ``up`` in the morning and ``down`` at night, without a stored credential of a cloud.

The actions' inputs are those of aws-actions/configure-aws-credentials and azure/login; the syntax is GitHub's ("Workflow syntax for GitHub
Actions"). What only the repository knows comes from its variables and secrets, so that the file can be written again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

from genai_platform.config.target import Target
from genai_platform.render.schedule import MARK, Schedule, next_change, offset, shown

_UTC = ZoneInfo("UTC")
_GENAI = "genai"
"""The command: pip puts it on the PATH of the job."""


@dataclass(frozen=True)
class Need:
    """A variable or a secret that somebody has to set in the repository."""

    kind: Literal["variable", "secret"]
    name: str
    meaning: str


@dataclass(frozen=True)
class Workflow:
    """The file, what it needs, and what a person must know before using it."""

    text: str
    needs: tuple[Need, ...]
    warnings: tuple[str, ...]
    cron: tuple[str, str]
    """The fields of ``up`` and ``down``, in UTC."""


def workflow(target: Target, schedule: Schedule, on: date, flags: str) -> Workflow:
    """The workflow of an environment.

    Args:
        target: with a pinned account.
        schedule: without a zone its times are UTC.
        on: the day whose offset from UTC counts: GitHub's cron knows no zone.
        flags: the options that choose the environment as a shell takes them, with a leading blank; without a GitHub expression.
    """
    zone = schedule.zone or _UTC
    cron = schedule.cron(offset(zone, on))
    needs, warnings = _needs(target), _warnings(target, zone, on)
    days = f"{shown(schedule.up)} up, {shown(schedule.down)} down in {zone.key}, as of {on.isoformat()}; cron counts in UTC"
    comments = [MARK, f"# {days}."]
    comments += [f"# Set in the repository: {need.kind} {need.name}: {need.meaning}." for need in needs]
    comments += [f"# Warning: {warning}." for warning in warnings]
    body = yaml.safe_dump(_document(target, schedule, cron, needs, flags), sort_keys=False, allow_unicode=True, width=1000)
    return Workflow("\n".join(comments) + "\n" + body, needs, warnings, cron)


def _document(target: Target, schedule: Schedule, cron: tuple[str, str], needs: tuple[Need, ...], flags: str) -> dict[str, Any]:
    if target.settings.azure.enabled and target.settings.azure.auth != "cli":
        flags += " --set azure.auth=cli"  # azure/login signs `az` in
    up = [f"{_GENAI} up --for {schedule.minutes}m --yes{flags}", f"{_GENAI} verify --github{flags}"]
    work = {"up": up, "down": [f"{_GENAI} down --yes{flags}"]}
    secrets = {need.name: f"${{{{ secrets.{need.name} }}}}" for need in needs if need.kind == "secret"}
    return {
        "name": f"{target.prefix}: up and down",
        "on": {
            "schedule": [{"cron": fields} for fields in cron],
            "workflow_dispatch": {
                "inputs": {"command": {"description": "What to do now", "type": "choice", "options": ["up", "down"], "required": True}}
            },
        },
        "permissions": {"contents": "read", "id-token": "write"},
        # One at a time; a run that has begun is never cancelled.
        "concurrency": {"group": f"genai-{target.prefix}", "cancel-in-progress": False},
        "jobs": {
            name: {
                "if": f"github.event.schedule == '{fields}' || inputs.command == '{name}'",
                "runs-on": "${{ vars.GENAI_RUNNER || 'ubuntu-latest' }}",
                "timeout-minutes": 120,
                **({"env": secrets} if secrets and name == "up" else {}),
                "steps": [*_preparation(target), *({"run": command} for command in commands)],
            }
            for (name, commands), fields in zip(work.items(), cron, strict=True)
        },
    }


def _preparation(target: Target) -> list[dict[str, Any]]:
    """Steps before the work: the project, the tool, and who it works as."""
    aws, azure, region = target.settings.aws, target.settings.azure, target.settings.platform.region
    partition = "aws-us-gov" if region.startswith("us-gov-") else "aws"
    role = f"arn:{partition}:iam::{aws.account_id}:role/${{{{ vars.GENAI_AWS_ROLE }}}}"
    steps: list[dict[str, Any]] = [
        {"uses": "actions/checkout@v5"},
        {"uses": "actions/setup-python@v6", "with": {"python-version": "3.12"}},
        {"run": 'python -m pip install "$GENAI_PACKAGE"', "env": {"GENAI_PACKAGE": "${{ vars.GENAI_PACKAGE }}"}},
        {"uses": "aws-actions/configure-aws-credentials@v6", "with": {"role-to-assume": role, "aws-region": region}},
    ]
    if azure.enabled:
        identity = {"client-id": "${{ vars.AZURE_CLIENT_ID }}", "tenant-id": azure.tenant_id, "subscription-id": azure.subscription_id}
        steps.append({"uses": "azure/login@v2", "with": identity})
    return steps


def _needs(target: Target) -> tuple[Need, ...]:
    settings = target.settings
    found = [
        Need("variable", "GENAI_AWS_ROLE", f"the name of a role in account {settings.aws.account_id} that trusts GitHub's OIDC provider"),
        Need("variable", "GENAI_PACKAGE", "what pip installs genai from, e.g. a wheel's address or git+https://…"),
    ]
    if settings.azure.enabled:
        found.append(Need("variable", "AZURE_CLIENT_ID", "the application with a federated credential for this repository"))
    return (*found, *(Need("secret", name, "the key of the models that name it") for name in settings.litellm.key_variables))


def _warnings(target: Target, zone: ZoneInfo, on: date) -> tuple[str, ...]:
    settings, found = target.settings, []
    if local_state(target):
        found.append(
            'terraform.backend is "local": the state is lost with the machine of the job, and nothing can remove what it made; '
            'set terraform.backend = "s3" before the first up'
        )
    if not settings.ingress.allowed_cidrs:
        found.append("ingress.allowed_cidrs is empty: only the machine of the job could reach LiteLLM and Langfuse; name your networks")
    else:
        found.append(
            "verify reaches the platform from a network in ingress.allowed_cidrs only: set the variable GENAI_RUNNER to a runner in one"
        )
    if change := next_change(zone, on):
        day, minutes = change
        found.append(
            f"clocks in {zone.key} change on {day.isoformat()}: from then on it runs {abs(minutes)} min "
            f"{'later' if minutes > 0 else 'earlier'} by these clocks, until this command writes the file again"
        )
    return tuple(found)


def local_state(target: Target) -> bool:
    """Whether Terraform's state would lie on the machine of the job."""
    return target.settings.terraform.backend == "local"
