"""The models of Azure OpenAI that LiteLLM has a price for, and what each of them speaks.

From the price map inside LiteLLM 1.106.2 (``model_prices_and_context_window_backup.json``, keys ``azure/…``): the proxy
reads that map and none from the internet. Known here because the question comes before there is a proxy to ask: a model without
a price costs nothing in LiteLLM's books, and no budget ever closes on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

RESPONSES_API_VERSION = "2025-03-01-preview"
"""Azure OpenAI's first api-version with ``/openai/responses``; ``v1`` has it, too (Microsoft Learn, "Azure OpenAI Responses API")."""

VERSION = "1.106.2"
"""The LiteLLM that the list is of; another image may know more or fewer."""

_NAMES: Mapping[str, str] = {
    "chat": """
        apac/gpt-6.1-sol chat-latest command-r-plus computer-use-preview eu/computer-use-preview eu/gpt-4.1 eu/gpt-4.1-mini
        eu/gpt-4.1-nano eu/gpt-4o eu/gpt-4o-2024-05-13 eu/gpt-4o-2024-08-06 eu/gpt-4o-2024-11-20 eu/gpt-4o-mini eu/gpt-4o-mini-2024-07-18
        eu/gpt-5 eu/gpt-5-2025-08-07 eu/gpt-5-mini eu/gpt-5-mini-2025-08-07 eu/gpt-5-nano eu/gpt-5-nano-2025-08-07 eu/gpt-5.1
        eu/gpt-5.1-chat eu/gpt-5.2 eu/gpt-5.2-chat eu/gpt-5.3-chat eu/gpt-5.4 eu/gpt-5.4-2026-03-05 eu/gpt-5.4-mini eu/gpt-5.4-nano
        eu/gpt-5.5 eu/gpt-5.5-2026-04-23 eu/gpt-5.5-2026-04-24 eu/gpt-5.6 eu/gpt-5.6-luna eu/gpt-5.6-sol eu/gpt-5.6-terra eu/gpt-6-astra
        eu/gpt-6-luna eu/gpt-6-sol eu/gpt-6.1-sol eu/o1 eu/o1-2024-12-17 eu/o1-mini eu/o1-mini-2024-09-12 eu/o1-preview eu/o3
        eu/o3-2025-04-16 eu/o3-deep-research eu/o3-mini eu/o3-mini-2025-01-31 eu/o4-mini eu/o4-mini-2025-04-16
        global-standard/gpt-4o-2024-08-06 global-standard/gpt-4o-2024-11-20 global-standard/gpt-4o-mini global/gpt-4o-2024-08-06
        global/gpt-4o-2024-11-20 global/gpt-5.1 gpt-3.5-turbo gpt-35-turbo gpt-35-turbo-16k gpt-35-turbo-16k-0613 gpt-4 gpt-4-0125-preview
        gpt-4-0613 gpt-4-1106-preview gpt-4-32k gpt-4-32k-0613 gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4-turbo-vision-preview gpt-4.1
        gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14 gpt-4.1-nano gpt-4.1-nano-2025-04-14 gpt-4.5-preview gpt-4o
        gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-audio-preview-2024-12-17 gpt-4o-mini gpt-4o-mini-2024-07-18
        gpt-4o-mini-audio-preview-2024-12-17 gpt-5 gpt-5-2025-08-07 gpt-5-chat gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano
        gpt-5-nano-2025-08-07 gpt-5.1 gpt-5.1-2025-11-13 gpt-5.1-chat gpt-5.2 gpt-5.2-2025-12-11 gpt-5.2-chat gpt-5.3-chat gpt-5.4
        gpt-5.4-2026-03-05 gpt-5.4-mini gpt-5.4-mini-2026-03-17 gpt-5.4-nano gpt-5.4-nano-2026-03-17 gpt-5.5 gpt-5.5-2026-04-23
        gpt-5.5-2026-04-24 gpt-5.6 gpt-5.6-luna gpt-5.6-luna-2026-07-09 gpt-5.6-sol gpt-5.6-sol-2026-07-09 gpt-5.6-terra
        gpt-5.6-terra-2026-07-09 gpt-6-astra gpt-6-astra-2026-09-03 gpt-6-luna gpt-6-luna-2026-09-22 gpt-6-sol gpt-6-sol-2026-09-22
        gpt-6.1-sol gpt-6.1-sol-2026-09-29 gpt-audio gpt-audio-1.5 gpt-audio-1.5-2026-02-23 gpt-audio-2025-08-28 gpt-audio-mini
        gpt-audio-mini-2025-10-06 gpt-chat-latest mistral-large-2402 mistral-large-latest model-router o1 o1-2024-12-17 o1-mini
        o1-mini-2024-09-12 o3 o3-2025-04-16 o3-mini o3-mini-2025-01-31 o4-mini o4-mini-2025-04-16 us-gov/gpt-5.1 us-gov/o3-mini
        us/computer-use-preview us/gpt-4.1 us/gpt-4.1-2025-04-14 us/gpt-4.1-mini us/gpt-4.1-mini-2025-04-14 us/gpt-4.1-nano
        us/gpt-4.1-nano-2025-04-14 us/gpt-4o us/gpt-4o-2024-05-13 us/gpt-4o-2024-08-06 us/gpt-4o-2024-11-20 us/gpt-4o-mini
        us/gpt-4o-mini-2024-07-18 us/gpt-5 us/gpt-5-2025-08-07 us/gpt-5-mini us/gpt-5-mini-2025-08-07 us/gpt-5-nano
        us/gpt-5-nano-2025-08-07 us/gpt-5.1 us/gpt-5.1-chat us/gpt-5.2 us/gpt-5.2-chat us/gpt-5.3-chat us/gpt-5.4 us/gpt-5.4-2026-03-05
        us/gpt-5.4-mini us/gpt-5.4-nano us/gpt-5.5 us/gpt-5.5-2026-04-23 us/gpt-5.5-2026-04-24 us/gpt-5.6 us/gpt-5.6-luna us/gpt-5.6-sol
        us/gpt-5.6-terra us/gpt-6-astra us/gpt-6-luna us/gpt-6-sol us/gpt-6.1-sol us/gpt-chat-latest us/o1 us/o1-2024-12-17 us/o1-mini
        us/o1-mini-2024-09-12 us/o1-preview us/o3 us/o3-2025-04-16 us/o3-deep-research us/o3-mini us/o3-mini-2025-01-31 us/o4-mini
        us/o4-mini-2025-04-16
    """,
    "responses": """
        codex-mini eu/codex-mini eu/gpt-5-codex eu/gpt-5-pro eu/gpt-5.1-codex eu/gpt-5.1-codex-max eu/gpt-5.1-codex-mini eu/gpt-5.2-codex
        eu/gpt-5.2-pro eu/gpt-5.3-codex eu/gpt-5.4-pro global/gpt-5.1-codex global/gpt-5.1-codex-mini gpt-5-codex gpt-5-pro gpt-5.1-codex
        gpt-5.1-codex-2025-11-13 gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.1-codex-mini-2025-11-13 gpt-5.2-codex gpt-5.2-pro
        gpt-5.2-pro-2025-12-11 gpt-5.3-codex gpt-5.4-pro gpt-5.4-pro-2026-03-05 gpt-5.5-pro gpt-5.5-pro-2026-04-23 o3-deep-research o3-pro
        o3-pro-2025-06-10 us/codex-mini us/gpt-5-codex us/gpt-5-pro us/gpt-5.1-codex us/gpt-5.1-codex-max us/gpt-5.1-codex-mini
        us/gpt-5.2-codex us/gpt-5.2-pro us/gpt-5.3-codex us/gpt-5.4-pro
    """,
    "embedding": """
        ada eu/text-embedding-3-large eu/text-embedding-3-small eu/text-embedding-ada-002 text-embedding-3-large text-embedding-3-small
        text-embedding-ada-002 us-gov/text-embedding-3-large us-gov/text-embedding-3-small us/text-embedding-3-large
        us/text-embedding-3-small us/text-embedding-ada-002
    """,
    "completion": "gpt-3.5-turbo-instruct-0914 gpt-35-turbo-instruct gpt-35-turbo-instruct-0914",
}
PRICED: Mapping[str, str] = {name: mode for mode, names in _NAMES.items() for name in names.split()}
"""Model, without LiteLLM's prefix ``azure/``, to its mode: ``chat``, ``responses``, ``embedding`` or ``completion``."""

_REASONING = re.compile(r"(?:[a-z-]+/)?(o[1-9]|gpt-[5-9])(?![0-9])(?!.*chat)")


def reasons(model: str) -> bool:
    """Whether a model reasons before it answers: such a one takes neither ``max_tokens`` nor another ``temperature`` than 1.

    The families o1, o3, o4 and GPT-5 and later, without their chat variants (Microsoft Learn, "Azure OpenAI reasoning models").
    """
    return _REASONING.match(model) is not None
