"""Errors of the Microsoft identity platform's token and sign-in endpoints, as they word them."""

from __future__ import annotations

from uuid import uuid4

from starlette.responses import JSONResponse


class Refused(Exception):
    """A refusal with the code of the Microsoft identity platform (AADSTS…, "Microsoft Entra authentication and authorization error codes").

    Args:
        name: the OAuth 2.0 error.
        code: the number after ``AADSTS``.
    """

    def __init__(self, name: str, code: int, text: str, status: int = 400) -> None:
        super().__init__(f"AADSTS{code}: {text}")
        self.name, self.code, self.status = name, code, status

    def answer(self) -> JSONResponse:
        """The refusal as the token endpoint answers it."""
        trace = str(uuid4())
        body = {"error": self.name, "error_description": f"{self} Trace ID: {trace}", "error_codes": [self.code], "trace_id": trace}
        return JSONResponse(body, self.status)
