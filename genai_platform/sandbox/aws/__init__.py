"""The AWS of the sandbox: moto in one process, with its gaps filled and its credentials and policies taken seriously."""

from __future__ import annotations

from genai_platform.sandbox.aws.identity import issuer

__all__ = ["issuer"]
