"""``python -m genai_platform``."""

from __future__ import annotations

from genai_platform.cli.app import main

if __name__ == "__main__":
    main()
