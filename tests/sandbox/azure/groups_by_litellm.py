"""What callers of a group get from LiteLLM's router, as JSON: a program of its own, since importing LiteLLM takes long.

Arguments: the sandbox's world, and the proxy's configuration as a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from litellm import Router

from genai_platform.sandbox.azure.openai_part import key, take_down, throttle
from genai_platform.sandbox.layout import SandboxLayout

EAST, WEST = "east.openai.azure.com", "west.openai.azure.com"
layout = SandboxLayout.open(Path(sys.argv[1]))
os.environ["AZURE_API_KEY"] = key(layout)
document = yaml.safe_load(Path(sys.argv[2]).read_text())
routing = {name: value for name, value in document["router_settings"].items() if not name.startswith("redis_")}


async def ask(router: Router, model: str = "gpt", count: int = 12, throttled: str = "") -> list[str]:
    """Which account answered each request, or why none did."""

    async def one() -> str:
        if throttled:
            throttle(layout, f"{throttled}/d", 10)  # again each time: longer than a chat takes on a busy machine
        try:
            got: Any = await router.acompletion(model=model, messages=[{"role": "user", "content": "What is 6 x 7?"}])
        except Exception as error:
            return type(error).__name__
        return str(got._hidden_params["api_base"]).split("/")[3]

    return [await one() for _ in range(count)]


async def main() -> dict[str, list[str]]:
    found = {}
    # A router of its own for each: what one has learned of a deployment is forgotten.
    routers = [Router(model_list=document["model_list"], **routing) for _ in range(4)]
    found["well"] = await ask(routers[0], count=30)
    found["by id"] = [name for entry in document["model_list"][:2] for name in await ask(routers[0], entry["model_info"]["id"], 4)]
    found["throttled"] = await ask(routers[1], throttled=EAST)
    take_down(layout, WEST)
    found["throttled and down"] = await ask(routers[2], count=4, throttled=EAST)
    take_down(layout, EAST)
    found["down"] = await ask(routers[3])
    found["down, by id"] = await ask(routers[0], document["model_list"][0]["model_info"]["id"], 2)
    take_down(layout)
    return found


json.dump(asyncio.run(main()), sys.stdout)
