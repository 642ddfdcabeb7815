"""The people that a configuration lets sign in, and one that it does not: as they would be in a company's directory."""

from __future__ import annotations

from genai_platform.config.sign_in import SignIn
from genai_platform.sandbox.azure import control_address, shared_tenant
from genai_platform.sandbox.layout import SandboxLayout

STRANGER = "stranger@example.com"
"""Somebody of the tenant who is assigned to nothing."""


def offer(layout: SandboxLayout, who: SignIn) -> None:
    """Add the configured people by user principal name, ``member-XXXXXXXX@example.com`` to each configured group, and ``STRANGER``.

    Somebody who is there stays as they are. Object ids of people mean nobody here, and are not added.
    """
    wanted: dict[str, list[str]] = {f"member-{group[:8]}@example.com": [group] for group in who.groups}
    wanted |= {name: [] for name in (*who.people, STRANGER) if "@" in name}
    tenant = shared_tenant.subscription(layout)["tenant_id"]
    for name, groups in wanted.items():
        control_address.post(layout.azure, "user", {"name": name, "tenant": tenant, "groups": groups})
