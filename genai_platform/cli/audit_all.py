"""``genai audit --all``: every environment in the account and the subscription, no matter who made it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from genai_platform.audit import environments
from genai_platform.audit.environments import Environment
from genai_platform.cli.lifetime import length
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose
from genai_platform.config.target import Target
from genai_platform.tools import libraries
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.lifetime import iso
from genai_platform.tools.azure import Azure, signed_in
from genai_platform.ui.text import dollars

_NOT_SIGNED_IN = "Azure: no subscription is configured, and `az` is not signed in to one (--no-azure looks at AWS alone)"


def show(run: Run, regions: Sequence[str], azure: bool) -> int:
    """Show them; 0 when everything was looked at, else 1.

    Args:
        regions: AWS regions; empty: all that the account has enabled.
        azure: whether to look at Azure, too.
    """
    target = run.enter(Purpose.ACCOUNT)
    aws = Aws(target.having("platform", region=regions[0]) if regions else target)
    account = aws.confirm_account()
    subscriptions = [one for one in (_subscription(target),) if one is not None] if azure else []
    run.screen.target = f"AWS account {account}" + "".join(f", Azure subscription {one.subscription}" for one in subscriptions)
    run.screen.say(f"looking for environments in {', '.join(regions) or 'every region'} of {run.screen.target}")
    libraries.load(azure=azure)  # before there are threads
    found = environments.look(aws, subscriptions, regions)
    unseen = found.unseen + ([] if subscriptions or not azure else [_NOT_SIGNED_IN])
    rows = [_row(one) for one in found.environments]
    if rows:
        headers = ["platform", "environment", "where", "resources", "age", "owner", "ends", "cost"]
        run.screen.table(headers, rows, title=f"{len(rows)} in {run.screen.target}:")
        run.screen.tell(f"together {dollars(sum(one.usd_per_hour for one in found.environments))}")
    elif not unseen:
        run.screen.tell(f"no environment in {run.screen.target}")
    for line in unseen:
        run.screen.tell(f"not seen: {line}")
    run.screen.document(
        {
            "account": account,
            "subscriptions": [one.subscription for one in subscriptions],
            "environments": [_document(one) for one in found.environments],
            "unseen": unseen,
        }
    )
    return 1 if unseen else 0


def _subscription(target: Target) -> Azure | None:
    """The client for the configured subscription, else for the one that the Azure CLI uses; None: there is neither."""
    if target.settings.azure.tenant_id and target.settings.azure.subscription_id:
        return Azure(target)
    found = signed_in.account() if target.endpoints.real else None
    if found is None:
        return None
    return Azure(target.having("azure", tenant_id=found.tenant_id, subscription_id=found.subscription_id, auth="cli"))


def _row(one: Environment) -> list[str]:
    now = datetime.now(UTC)
    age = length(now - one.started) if one.started else "-"
    ends = "-" if one.ends is None else f"{iso(one.ends)}{' (over)' if one.ends <= now else ''}"
    where = ", ".join(one.regions) or "-"
    return [*one.key, where, str(one.resources), age, one.owner or "-", ends, dollars(one.usd_per_hour)]


def _document(one: Environment) -> dict[str, Any]:
    return {
        "platform": one.key.platform,
        "environment": one.key.environment,
        "regions": list(one.regions),
        "resources": one.resources,
        "started": iso(one.started),
        "owner": one.owner,
        "ends": iso(one.ends),
        "over": one.ends is not None and one.ends <= datetime.now(UTC),
        "usd_per_hour": one.usd_per_hour,
    }
