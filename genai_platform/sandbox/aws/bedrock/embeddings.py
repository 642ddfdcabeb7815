"""``InvokeModel`` of embedding models: Amazon Titan Text Embeddings V2 and Cohere Embed 3.

Amazon Bedrock user guide, "Amazon Titan Embeddings Text" and "Cohere Embed and Cohere Embed v4".
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from genai_platform.sandbox.aws.bedrock.answers import identifier
from genai_platform.sandbox.aws.bedrock.catalog import FoundationModel
from genai_platform.sandbox.aws.bedrock.faults import invalid
from genai_platform.sandbox.azure.openai_answers import tokens

_COHERE_TYPES = ("search_document", "search_query", "classification", "clustering", "image")
_MALFORMED = "Malformed input request: #: required key [{}] not found, please reformat your input and try again."
_EXTRA = "Malformed input request: #: extraneous key [{}] is not permitted, please reformat your input and try again."


class Embedded(NamedTuple):
    """An answer, and how many tokens were read for it."""

    document: dict[str, Any]
    input_tokens: int


def titan(model: FoundationModel, body: Mapping[str, Any]) -> Embedded:
    """One text, one vector. Raises ``Fault``."""
    if "inputText" not in body:
        raise invalid(_MALFORMED.format("inputText"))
    if extra := sorted(set(body) - {"inputText", "dimensions", "normalize", "embeddingTypes"}):
        raise invalid(_EXTRA.format(extra[0]))
    text, size = str(body["inputText"]), body.get("dimensions", model.dimensions[0])
    if not text:
        raise invalid("Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again.")
    if size not in model.dimensions:
        raise invalid(f"Malformed input request: #/dimensions: {size} is not a valid enum value, please reformat your input and try again.")
    made, count = vector(text, size), tokens(text)
    kinds = {"float": made, "binary": [int(value > 0) for value in made]}
    by_type = {kind: kinds[kind] for kind in body.get("embeddingTypes") or ("float",)}
    return Embedded({"embedding": made, "embeddingsByType": by_type, "inputTextTokenCount": count}, count)


def cohere(model: FoundationModel, body: Mapping[str, Any]) -> Embedded:
    """Up to 96 texts. Raises ``Fault``."""
    for name in ("input_type", "texts"):
        if name not in body:
            raise invalid(_MALFORMED.format(name))
    if body["input_type"] not in _COHERE_TYPES:
        raise invalid(f"Malformed input request: #/input_type: {body['input_type']} is not a valid enum value, please reformat your input.")
    texts = list(body["texts"])
    if not 1 <= len(texts) <= 96:
        raise invalid(
            f"Malformed input request: #/texts: expected maximum item count: 96, found: {len(texts)}, please reformat your input."
        )
    made, kinds = [vector(text, model.dimensions[0]) for text in texts], body.get("embedding_types")
    form = {"embeddings": dict.fromkeys(kinds, made), "response_type": "embeddings_by_type"} if kinds else {
        "embeddings": made, "response_type": "embeddings_floats",
    }  # fmt: skip
    return Embedded({"id": identifier("", 36), "texts": texts, **form}, sum(map(tokens, texts)))


def vector(text: str, size: int) -> list[float]:
    """A vector of length 1 made from the text's bytes: equal texts, equal vectors."""
    numbers = struct.unpack(f"<{size}h", hashlib.shake_256(text.encode()).digest(size * 2))
    length = math.sqrt(sum(value * value for value in numbers)) or 1.0
    return [value / length for value in numbers]
