"""What AWS refuses, as errors a person understands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from genai_platform.errors import Forbidden, GenaiError, MissingError, StepError, Unreachable

T = TypeVar("T")
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
"""How services say that session credentials have ended (EC2's word is the last)."""
INVALID = frozenset(
    {
        "AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)  # fmt: skip
"""How services say that they do not know credentials; EC2 and IAM also of some that have ended."""
SIGN_IN_AGAIN = "sign in again, e.g. with: aws sso login; then run the same command again"

_ABSENT = frozenset({"ResourceNotFoundException", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "404", "NotFoundException"})


def code(error: Exception) -> str:
    """The error code AWS answered with; empty for anything else."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what boto3 raises into an error that says what was being done and what helps.

    Args:
        what: completes "could not …", e.g. ``read the secrets``.

    Raises:
        MissingError: no credentials, or they have expired.
        StepError: AWS could not be reached, refused, or failed.
    """
    from botocore import exceptions as boto

    try:
        yield
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound, boto.TokenRetrievalError) as error:
        raise MissingError(f"could not {what}: {error}", remedy="sign in, e.g. with: aws sso login", id="aws.credentials") from None
    except (boto.SSOTokenLoadError, boto.UnauthorizedSSOTokenError) as error:
        raise MissingError(f"could not {what}: {error}", remedy="run: aws sso login", id="aws.credentials") from None
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise Unreachable(
            f"could not {what}: AWS did not answer ({type(error).__name__})",
            remedy="check the network and any proxy, then run the same command again",
            id="aws.unreachable",
        ) from None
    except boto.ClientError as error:
        raise _refusal(what, error) from None
    except boto.BotoCoreError as error:
        raise StepError(f"could not {what}: {error}", id="aws.failed") from None


def _refusal(what: str, error: Any) -> GenaiError:
    name, message = code(error), error.response["Error"].get("Message", "")
    if name in EXPIRED | INVALID:
        said = "the AWS credentials have expired" if name in EXPIRED else "AWS does not accept the credentials"
        return MissingError(f"could not {what}: {said} ({name}: {message})", remedy=SIGN_IN_AGAIN, id="aws.credentials")
    if name in {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "403"}:
        return Forbidden(
            f"could not {what}: {name}: {message}",
            remedy=f"the identity needs the permission for {error.operation_name}",
            id="aws.denied",
            error_code=name,
        )
    return StepError(f"could not {what}: {name}: {message}", id="aws.failed", error_code=name)


def absent(error: Exception) -> bool:
    """Whether AWS said that the thing does not exist."""
    said = code(error)
    return said in _ABSENT or said.endswith(("NotFound", "NotFoundFault"))


def unless_absent(ask: Callable[..., T], **arguments: Any) -> T | None:
    """What a client's operation answers; None where AWS says that the thing does not exist."""
    from botocore.exceptions import ClientError

    try:
        return ask(**arguments)
    except ClientError as error:
        if absent(error):
            return None
        raise
