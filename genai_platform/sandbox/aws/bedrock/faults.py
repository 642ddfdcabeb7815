"""Errors of Bedrock, and those that a test or a person wants to see.

``bedrock-faults.json`` in the AWS stand-in's folder: ``{"REGION/MODEL": "ThrottlingException"}`` refuses every request for that model or
profile in that region; ``"stream:ThrottlingException"`` ends a stream with it after the first piece.
"""

from __future__ import annotations

import json
from pathlib import Path

from werkzeug.wrappers import Response

from genai_platform.sandbox.layout import SandboxLayout

_STATUS = {
    "ValidationException": 400, "AccessDeniedException": 403, "ResourceNotFoundException": 404, "ModelTimeoutException": 408,
    "ModelErrorException": 424, "ThrottlingException": 429, "ModelNotReadyException": 429, "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}  # fmt: skip
"""The statuses of botocore's model of the service."""
_SAID = {
    # A third-party model that nobody of the account has subscribed to; a role that may only invoke cannot do it.
    "AccessDeniedException": (
        "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions "
        "(aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model. Refer to the Amazon Bedrock "
        "documentation for further details."
    ),
    "ResourceNotFoundException": (
        "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the "
        "model. If you have already filled out the form, try again in 15 minutes."
    ),
    "ThrottlingException": "Too many requests, please wait before trying again.",
    "ModelNotReadyException": "The model is not ready for inference. Please wait and try again.",
    "ModelTimeoutException": "The model took too long to process the request. Please try again.",
    "ModelErrorException": "The model could not process the request.",
    "InternalServerException": "The server encountered an internal error. Try your request again.",
    "ServiceUnavailableException": "Bedrock is unable to process your request.",
}


class Fault(Exception):
    """An error with Bedrock's name for it."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message or _SAID[code]

    def answer(self) -> Response:
        """As botocore reads it."""
        return Response(
            json.dumps({"message": self.message}), _STATUS[self.code], {"x-amzn-ErrorType": self.code}, content_type="application/json"
        )


def invalid(message: str) -> Fault:
    """A request that is refused for what it says."""
    return Fault("ValidationException", message)


def faults_file(layout: SandboxLayout) -> Path:
    """Where the requested errors are written down."""
    return layout.folder("aws") / "bedrock-faults.json"


def asked_for(layout: SandboxLayout, region: str, identifier: str) -> tuple[Fault | None, Fault | None]:
    """The error with which a model refuses, and the one with which its streams end."""
    file = faults_file(layout)
    code = json.loads(file.read_text()).get(f"{region}/{identifier}", "") if file.exists() else ""
    if code.startswith("stream:"):
        return None, Fault(code.removeprefix("stream:"))
    return (Fault(code) if code else None), None
