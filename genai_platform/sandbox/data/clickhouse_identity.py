"""The pod's web identity as credentials the engine finds in its environment.

The engine would ask the real STS itself; here the exchange goes to this sandbox's, and is repeated before it expires.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

_NAMES = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
_EVERY = 30 * 60.0
_AGAIN = 15.0
"""After a refusal: the role may be on its way."""


def follow(say: Callable[[str], None]) -> None:
    """Exchange now, and again every half hour; after a refusal sooner. Without a role: no credentials, as for any pod that has none."""
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    role, token_file = (os.environ.get(name, "") for name in _NAMES)
    if not role or not token_file:
        return
    given = _exchange(role, Path(token_file), say)
    # The engine knows these names too and would go to the public STS.
    for name in _NAMES:
        os.environ.pop(name, None)

    def again(given: bool) -> None:
        while True:
            time.sleep(_EVERY if given else _AGAIN)
            given = _exchange(role, Path(token_file), say)

    threading.Thread(target=again, args=(given,), name="web-identity", daemon=True).start()


def _exchange(role: str, token_file: Path, say: Callable[[str], None]) -> bool:
    """One AssumeRoleWithWebIdentity into the environment. A refusal is said, and leaves what was there."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    session = os.environ.get("AWS_ROLE_SESSION_NAME") or "clickhouse"
    try:
        client = boto3.client("sts", region_name=region, config=Config(signature_version=UNSIGNED, connect_timeout=5, read_timeout=20))
        token = token_file.read_text().strip()
        answer = client.assume_role_with_web_identity(RoleArn=role, RoleSessionName=session, WebIdentityToken=token)
    except (BotoCoreError, ClientError, OSError) as error:
        say(f"STSAssumeRoleWithWebIdentityCredentialsProvider: no credentials for {role}: {error}")
        return False
    found = answer["Credentials"]
    os.environ["AWS_ACCESS_KEY_ID"] = found["AccessKeyId"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = found["SecretAccessKey"]
    os.environ["AWS_SESSION_TOKEN"] = found["SessionToken"]
    return True
