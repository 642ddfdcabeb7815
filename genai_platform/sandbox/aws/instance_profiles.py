"""The instance profile that EKS Auto Mode makes for its nodes: it outlives the cluster for a while, without its role at last."""

from __future__ import annotations

import contextlib
import json
import uuid
from functools import partial
from typing import Any

from moto.eks.responses import EKSResponse
from moto.iam.exceptions import NotFoundException

from genai_platform.sandbox.aws.ec2 import CLUSTER_TAG
from genai_platform.sandbox.aws.principals import iam
from genai_platform.sandbox.aws.stand_in import AwsStandIn
from genai_platform.sandbox.pace import EKS_PROFILE_OUTLIVES


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's EKS, after what else it gets."""
    create, delete = EKSResponse.create_cluster, EKSResponse.delete_cluster

    def create_cluster(self: Any) -> Any:
        result = create(self)
        asked = json.loads(self.body)
        compute = asked.get("computeConfig") or {}
        if compute.get("enabled") and compute.get("nodeRoleArn"):
            name = f"eks-{self.region}-{asked['name']}-{uuid.uuid4().int % 10**19}"[:128]
            roles = [role.name for role in iam().roles.values() if role.arn == compute["nodeRoleArn"]]
            iam().create_instance_profile(name=name, path="/", role_names=roles, tags=[{"Key": CLUSTER_TAG, "Value": asked["name"]}])
        return result

    def delete_cluster(self: Any) -> Any:
        result = delete(self)
        tag = {"Key": CLUSTER_TAG, "Value": self._get_param("name")}
        for name in [name for name, one in list(iam().instance_profiles.items()) if tag in one.tags]:
            stand_in.later(EKS_PROFILE_OUTLIVES, partial(_remove, name))
        return result

    EKSResponse.create_cluster = create_cluster
    EKSResponse.delete_cluster = delete_cluster


def _remove(name: str) -> None:
    with contextlib.suppress(NotFoundException):  # somebody was faster
        for role in list(iam().get_instance_profile(name).roles):
            iam().remove_role_from_instance_profile(name, role.name)
        iam().delete_instance_profile(name)
