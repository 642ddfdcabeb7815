"""What LiteLLM's role may do on Amazon Bedrock: invoke what is configured, each in its region, and nothing else.

An inference profile needs itself and its foundation model in every region that it leads to (Amazon Bedrock user guide,
"Prerequisites for inference profiles" and "Global cross-Region inference"). The condition key ``bedrock:InferenceProfileArn``
(Service Authorization Reference, "Amazon Bedrock") keeps those models from being invoked by any other way. ``Converse`` is
authorized as ``InvokeModel``, ``ConverseStream`` as ``InvokeModelWithResponseStream`` (Amazon Bedrock API reference).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from genai_platform.errors import ConfigError

_ACTIONS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
_LONGEST = 10_240
"""Characters of a role's inline policies, without white space (IAM user guide, "IAM and AWS STS quotas")."""


@dataclass(frozen=True)
class Invocable:
    """A foundation model or an inference profile as one region has it.

    Attributes:
        arn: its own ARN, with the region in which it is invoked.
        model_arns: of an inference profile, its foundation model in each destination region; of a global one, in the region in which
            it is invoked and once without a region. Empty for a foundation model.
    """

    arn: str
    model_arns: tuple[str, ...] = ()


def policy(invocable: Iterable[Invocable]) -> str | None:
    """The IAM policy that allows exactly these, as JSON; ``None`` where there is nothing to allow.

    Raises:
        ConfigError: it would be longer than IAM takes.
    """
    found = set(invocable)
    models = {one.arn for one in found if not one.model_arns}
    profiles = {one.arn for one in found if one.model_arns}
    behind = {arn for one in found for arn in one.model_arns}
    statements = [
        _allow("Models", models),
        _allow("InferenceProfiles", profiles),
        _allow("ModelsOfInferenceProfiles", behind, {"StringEquals": {"bedrock:InferenceProfileArn": sorted(profiles)}}),
    ]
    needed = [statement for statement in statements if statement["Resource"]]
    if not needed:
        return None
    text = json.dumps({"Version": "2012-10-17", "Statement": needed}, separators=(",", ":"))
    if len(text) > _LONGEST:
        raise ConfigError(
            f"{len(found)} models of Amazon Bedrock need a policy of {len(text)} characters, and IAM takes {_LONGEST} for a role",
            remedy="configure fewer inference profiles, or ones that lead to fewer regions (global. ones need the least)",
            id="bedrock.policy_size",
        )
    return text


def _allow(sid: str, resources: set[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "Sid": sid, "Effect": "Allow", "Action": _ACTIONS, "Resource": sorted(resources),
        **({"Condition": condition} if condition else {}),
    }  # fmt: skip
