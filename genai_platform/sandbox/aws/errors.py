"""Errors in the form each of AWS's protocols gives them."""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

_QUERY = {"sts", "iam", "rds", "elasticache", "elasticloadbalancing", "autoscaling", "monitoring", "cloudformation", "route53"}
_FORBIDDEN_BY_STATUS = {"bedrock", "eks"}
"""Services that say with the status 403 what others of their protocol family say with 400."""


def refusal(service: str, code: str, message: str, status: int = 403, *, resource: str = "") -> Response:
    """A refusal of a request that never reached its service."""
    number, text = str(uuid.uuid4()), escape(message)
    if service == "s3":
        layout = f"<Resource>{escape(resource)}</Resource>" if resource else ""
        inner = f"<Code>{code}</Code><Message>{text}</Message>{layout}<RequestId>{number}</RequestId>"
        return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>', status, content_type="application/xml")
    inner = f"<Code>{code}</Code><Message>{text}</Message>"
    if service == "ec2":
        body = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{number}</RequestID></Response>"
        return Response(body, status, content_type="text/xml")
    if service in _QUERY:
        body = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{number}</RequestId></ErrorResponse>"
        return Response(body, status, content_type="text/xml")
    return Response(
        json.dumps({"__type": code, "message": message}), status, {"x-amzn-ErrorType": code}, content_type="application/x-amz-json-1.1"
    )


def unknown_key(service: str) -> Response:
    """The access key is not one of this sandbox."""
    if service == "s3":
        return refusal(service, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if service == "ec2":
        return refusal(service, "AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    code = "InvalidClientTokenId" if service in _QUERY else "UnrecognizedClientException"
    return refusal(service, code, "The security token included in the request is invalid.")


def wrong_signature(service: str) -> Response:
    """The secret key is not the one that belongs to the access key."""
    code = "AuthFailure" if service == "ec2" else "SignatureDoesNotMatch"
    if service not in _QUERY | {"s3", "ec2"}:
        code = "InvalidSignatureException"
    return refusal(service, code, "The request signature we calculated does not match the signature you provided.")


def expired(service: str) -> Response:
    """The session's time is over. Each service has a word of its own (EC2 "Common client error codes"; S3 "Error responses";
    "Common errors" of STS, EKS and Secrets Manager)."""
    if service == "s3":
        return refusal(service, "ExpiredToken", "The provided token has expired.", 400)
    if service == "ec2":
        return refusal(service, "RequestExpired", "Request has expired.", 400)
    code = "ExpiredToken" if service in _QUERY else "ExpiredTokenException"
    status = 403 if service in _QUERY | _FORBIDDEN_BY_STATUS else 400
    return refusal(service, code, "The security token included in the request is expired", status)


def denied(service: str, who: str, action: str, resource: str) -> Response:
    """Not allowed by the caller's policies."""
    reason = f"because no identity-based policy allows the {action} action"
    message = f"User: {who} is not authorized to perform: {action} on resource: {resource} {reason}"
    if service == "ec2":
        return refusal(service, "UnauthorizedOperation", message)
    code = "AccessDenied" if service in _QUERY | {"s3"} else "AccessDeniedException"
    forbidden = code == "AccessDenied" or service in _FORBIDDEN_BY_STATUS
    return refusal(service, code, message, 403 if forbidden else 400, resource=resource if service == "s3" else "")
