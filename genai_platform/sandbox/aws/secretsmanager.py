"""Secrets Manager: a secret that is scheduled for deletion holds its name, and says so."""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

from genai_platform.sandbox.aws.stand_in import AwsStandIn


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's Secrets Manager."""
    create, put = SecretsManagerBackend.create_secret, SecretsManagerBackend.put_secret_value

    def create_secret(self: Any, name: str, *positional: Any, **asked: Any) -> Any:
        held = self.secrets.get(name)
        if held is not None and held.is_deleted():
            raise InvalidRequestException("You can't create this secret because a secret with this name is already scheduled for deletion.")
        return create(self, name, *positional, **asked)

    def put_secret_value(self: Any, secret_id: str, *positional: Any, **asked: Any) -> Any:
        held = self.secrets.get(secret_id)
        if held is not None and held.is_deleted():
            raise InvalidRequestException("You can't perform this operation on the secret because it was marked for deletion.")
        return put(self, secret_id, *positional, **asked)

    SecretsManagerBackend.create_secret = create_secret
    SecretsManagerBackend.put_secret_value = put_secret_value
