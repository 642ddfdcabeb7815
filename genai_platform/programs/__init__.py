"""The other programs that `genai` needs: found on PATH, in the cache, or fetched from where they are published.

``find`` looks and never fetches; ``provide`` fetches what is missing. Everything fetched lies in the user's cache
folder (``GENAI_CACHE_DIR`` chooses another), keyed by version, and is made under a temporary name first, so a killed
run leaves nothing half made.
"""

from __future__ import annotations

from genai_platform.programs.catalog import PROGRAMS, find, provide

__all__ = ["PROGRAMS", "find", "provide"]
