"""Which actions on which resources a request needs, in the words of IAM (Service Authorization Reference, Amazon Bedrock).

A cross-region inference profile needs itself and its model in every region it may go to; for a global one, the model in the
region that is asked and the model without a region. The real service checks the one destination that it chose; here all are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from genai_platform.sandbox.aws.bedrock import catalog
from genai_platform.sandbox.aws.identity import ACCOUNT

_INVOKING = {
    "converse": "InvokeModel", "invoke": "InvokeModel",
    "converse-stream": "InvokeModelWithResponseStream", "invoke-with-response-stream": "InvokeModelWithResponseStream",
}  # fmt: skip
_READING = {"foundation-models": "FoundationModel", "inference-profiles": "InferenceProfile"}


class Needed(NamedTuple):
    """An action, a resource, and the condition keys that go with them."""

    action: str
    resource: str
    context: dict[str, str]


def needed(method: str, raw_path: str, region: str) -> Iterator[Needed]:
    """Everything that must be allowed for a request, in order. An unknown operation needs an action that no policy names."""
    kind, _, rest = raw_path.strip("/").partition("/")
    name, _, operation = rest.partition("/")
    identifier, here = unquote(name), {"aws:RequestedRegion": region}
    if kind == "model" and operation in _INVOKING:
        yield from _invoke(f"bedrock:{_INVOKING[operation]}", identifier, region, here)
    elif method == "GET" and kind in _READING:
        what = _READING[kind]
        yield Needed(f"bedrock:Get{what}" if rest else f"bedrock:List{what}s", _resource(identifier, region) if rest else "*", here)
    else:
        yield Needed(f"bedrock:{method}", "*", here)


def _invoke(action: str, identifier: str, region: str, here: dict[str, str]) -> Iterator[Needed]:
    found = catalog.find(identifier, region)
    yield Needed(action, _resource(identifier, region), here)
    if isinstance(found, catalog.InferenceProfile):
        for destination in found.destinations:
            through = {"aws:RequestedRegion": destination or "unspecified", "bedrock:InferenceProfileArn": found.arn}
            yield Needed(action, found.model.arn(destination), through)


def _resource(identifier: str, region: str) -> str:
    if identifier.startswith("arn:"):
        return identifier
    if isinstance(catalog.find(identifier, region), catalog.InferenceProfile):
        return f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{identifier}"
    return f"arn:aws:bedrock:{region}::foundation-model/{identifier}"
