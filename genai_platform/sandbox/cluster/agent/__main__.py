"""``python -m genai_platform.sandbox.cluster.agent --layout FOLDER``."""

from __future__ import annotations

from genai_platform.sandbox.cluster.agent.agent import main

main()
