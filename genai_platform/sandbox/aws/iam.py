"""IAM: one partition. moto would make its thousand managed policies for six, and look through all for every request."""

from __future__ import annotations

import moto.iam.models as iam

from genai_platform.sandbox.aws.stand_in import AwsStandIn


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's IAM."""
    iam.PARTITION_NAMES = ["aws"]
