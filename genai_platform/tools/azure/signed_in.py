"""Who is signed in to Azure on this machine, before anything is configured."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass

from genai_platform.errors import GenaiError
from genai_platform.tools import process


@dataclass(frozen=True)
class Account:
    """The account that the Azure CLI uses."""

    tenant_id: str
    subscription_id: str
    user: str
    """A person's address, or a service principal's identifier; empty: not told."""


def account() -> Account | None:
    """What ``az account show`` says; None when there is no ``az`` or nobody is signed in with it."""
    program = shutil.which("az")
    if program is None:
        return None
    try:
        command = process.Command([program, "account", "show", "--output", "json"], os.environ)
        found = json.loads(process.run(command, timeout=30).out)
        name = (found.get("user") or {}).get("name")
        return Account(str(found["tenantId"]), str(found["id"]), str(name or ""))
    except (GenaiError, ValueError, KeyError, TypeError):
        return None
