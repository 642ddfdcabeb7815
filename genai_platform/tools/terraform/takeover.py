"""Things of this environment that exist without being in a root's state are taken into it: written as import blocks, looked at before.

One plan imports all of them at once and is read before it is carried out: what it would replace is in use somewhere, and what
does not carry this environment's tags is somebody else's (Terraform, "Import blocks"; ``terraform show -json``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from genai_platform.advice import advice, genai
from genai_platform.errors import StepError
from genai_platform.tools.terraform.adoption import Orphan
from genai_platform.tools.terraform.inventory import Inventory

BLOCKS = "imports.tf.json"
PLAN = "imports.plan"


def blocks(things: Iterable[Orphan]) -> str:
    """The import blocks of some things, as the content of ``BLOCKS``."""
    return json.dumps({"import": [{"to": thing.address, "id": thing.id} for thing in things]}, indent=1)


def foreign(root: str, address: str, id: str) -> StepError:
    """What is said where something exists in the place of a root's resource and is somebody else's."""
    return StepError(
        f"terraform root '{root}': {address}: '{id}' exists already and does not carry this environment's tags",
        remedy="remove it, or choose another platform.name or --env: names follow from them",
        id="terraform.foreign",
    )


def refuse(root: str, plan: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Refuse a plan that would do more than take over what is this environment's.

    Args:
        plan: the document of ``terraform show -json``.
        tags: what this environment's things carry.

    Raises:
        StepError: ``terraform.foreign`` or ``terraform.differs``.
    """
    for entry in plan.get("resource_changes", ()):
        address, change = entry["address"], entry["change"]
        held = (change.get("before") or {}).get("tags_all")
        if change.get("importing") and held is not None and not tags.items() <= held.items():
            raise foreign(root, address, change["importing"].get("id"))
        if "delete" in change.get("actions", ()):
            name = (change.get("importing") or {}).get("id") or (change.get("before") or {}).get("id", "")
            raise StepError(
                f"terraform root '{root}': {address}: '{name}' exists already, and would have to be replaced to be as configured",
                remedy=advice(
                    "configure it as it was made, or remove it when nobody needs it ({} gives the command), "
                    "then run the same command again",
                    genai("audit"),
                ),
                id="terraform.differs",
            )


def doubtful(root: str, found: Inventory, place: str) -> StepError:
    """What is said where more than one thing could be meant by an address. ``place``: where the root's state should be."""
    listed = "; ".join(f"{address}: {', '.join(ids)}" for address, ids in found.doubtful.items())
    return StepError(
        f"terraform root '{root}': {place} does not know these resources with this environment's tags, "
        f"and more than one of them could be meant: {listed}",
        remedy=advice(
            "put the state that made them back to {}, or remove what nobody needs: {} gives the command for each; "
            "then run the same command again",
            place,
            genai("audit"),
        ),
        id="terraform.doubtful",
    )
