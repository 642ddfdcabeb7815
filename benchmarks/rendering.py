"""What it costs to render and to check hundreds of models and callers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from benchmarks.measure import Pair, compare
from genai_platform.config.settings import Settings
from genai_platform.render import litellm


def pairs(rounds: int = 5, models: int = 500) -> Iterator[Pair | str]:
    """The proxy's configuration against the same document written by PyYAML; the settings against their bare reading."""
    document = _document(models)
    settings = Settings.model_validate(document)
    plain = yaml.safe_load(litellm.proxy_config(settings))
    yield compare(
        f"proxy configuration of {models} models",
        lambda: litellm.proxy_config(settings),
        "PyYAML, the same document",
        lambda: yaml.safe_dump(plain, allow_unicode=True),
        rounds=rounds,
    )
    one = Settings.model_validate(_document(1))
    # Each the same number of models, so that the ratio tells whether many together cost more than many alone.
    yield compare(
        f"proxy configuration of {models} models",
        lambda: litellm.proxy_config(settings),
        f"{models} times that of one model",
        lambda: [litellm.proxy_config(one) for _ in range(models)],
        rounds=rounds,
    )
    small = _document(1)
    yield compare(
        f"settings of {models} models and callers",
        lambda: Settings.model_validate(document),
        f"{models} times those of one",
        lambda: [Settings.model_validate(small) for _ in range(models)],
        rounds=rounds,
    )


def _document(count: int) -> dict[str, Any]:
    names = [f"model-{number}" for number in range(count)]
    models = [{"name": name, "azure_deployment": name, "api_base": "https://example.openai.azure.com"} for name in names]
    return {
        "litellm": {"models": models},
        "azure": {"callers": {f"team-{number}": {"models": [name], "max_budget": 50} for number, name in enumerate(names)}},
    }
