"""What EKS Auto Mode makes in the AWS account, made in the stand-in: the EBS volumes of claims, the instances of nodes.

They carry the tags Auto Mode gives, by which the audit finds them, and none of the platform's.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from genai_platform.sandbox.aws.identity import administrator
from genai_platform.sandbox.layout import SandboxLayout

_CLUSTER = "eks:eks-cluster-name"


class Account:
    """The account's EC2 and EKS interfaces at the stand-in's address. Safe for threads."""

    def __init__(self, layout: SandboxLayout) -> None:
        self._layout = layout
        self._clients: dict[str, Any] = {}
        self._named: str | None = None
        self._lock = threading.Lock()

    def cluster(self) -> str | None:
        """The name of the cluster in the account; None while there is none.

        Raises:
            ConnectionError: the stand-in did not answer, so that nothing is known.
        """
        with _answered():
            names = self._client("eks").list_clusters()["clusters"]
        return str(names[0]) if names else None

    def network(self) -> tuple[str, str] | None:
        """The cluster's name and one of its subnets; None while there is no cluster that has some and is not being deleted.

        Raises:
            ConnectionError: the stand-in did not answer, so that nothing is known.
        """
        # Asked all the time: the name that was found is kept as long as there is a cluster of that name.
        name = self._named = self._named or self.cluster()
        if name is None:
            return None
        found: dict[str, Any] = {}
        with _answered(fine="ResourceNotFoundException"):
            found = self._client("eks").describe_cluster(name=name)["cluster"]
        if not found:
            self._named = None
            return None
        subnets = sorted(found.get("resourcesVpcConfig", {}).get("subnetIds") or ())
        return (name, subnets[0]) if subnets and found["status"] != "DELETING" else None

    def instances(self) -> list[tuple[str, str]]:
        """Zone and id of each instance of Auto Mode that is not being ended.

        Raises:
            ConnectionError: the stand-in did not answer, so that nothing is known.
        """
        wanted = [{"Name": "tag-key", "Values": [_CLUSTER]}, {"Name": "instance-state-name", "Values": ["pending", "running"]}]
        with _answered():
            found = self._client("ec2").describe_instances(Filters=wanted, IncludeManagedResources=True)["Reservations"]
        return [(one["Placement"]["AvailabilityZone"], str(one["InstanceId"])) for entry in found for one in entry["Instances"]]

    def launch(self, cluster: str, subnet: str) -> tuple[str, str]:
        """A new instance for a node: its zone and id.

        Raises:
            ConnectionError: the stand-in did not answer, or refused.
        """
        tags = _tags({_CLUSTER: cluster, "karpenter.sh/nodepool": "general-purpose", "Name": "general-purpose"})
        ec2 = self._client("ec2")
        with _answered():
            (made,) = ec2.run_instances(
                MinCount=1, MaxCount=1, ImageId="ami-12c6146b", InstanceType="c6a.large", SubnetId=subnet,
                TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            )["Instances"]  # fmt: skip
            interfaces = [one["NetworkInterfaceId"] for one in made["NetworkInterfaces"]]
            ec2.create_tags(Resources=interfaces, Tags=tags)
        return made["Placement"]["AvailabilityZone"], str(made["InstanceId"])

    def terminate(self, identifiers: list[str]) -> None:
        """End instances.

        Raises:
            ConnectionError: the stand-in did not answer, or refused.
        """
        if identifiers:
            with _answered(fine="InvalidInstanceID.NotFound"):
                self._client("ec2").terminate_instances(InstanceIds=identifiers)

    def create_volume(self, *, name: str, claim: tuple[str, str], gigabytes: int, kind: str) -> str:
        """An EBS volume for a claim (namespace and name); its id. Without a cluster in the account the id is made up.

        Raises:
            ConnectionError: the stand-in did not answer, or refused.
        """
        cluster = self.cluster()
        if cluster is None:
            return f"vol-{uuid.uuid4().hex[:17]}"
        tags = {
            _CLUSTER: cluster,
            "ebs.csi.aws.com/cluster": "true",
            "CSIVolumeName": name,
            "kubernetes.io/created-for/pv/name": name,
            "kubernetes.io/created-for/pvc/namespace": claim[0],
            "kubernetes.io/created-for/pvc/name": claim[1],
        }
        ec2 = self._client("ec2")
        with _answered():
            ours = [{"Name": "tag:CSIVolumeName", "Values": [name]}]
            before = ec2.describe_volumes(Filters=ours, IncludeManagedResources=True)["Volumes"]
            if before:
                return str(before[0]["VolumeId"])
            made = ec2.create_volume(
                AvailabilityZone=f"{self._layout.region}a", Size=max(gigabytes, 1), VolumeType=kind, Encrypted=True,
                TagSpecifications=[{"ResourceType": "volume", "Tags": _tags(tags)}],
            )  # fmt: skip
        return str(made["VolumeId"])

    def delete_volume(self, identifier: str) -> None:
        """Delete an EBS volume; one that is gone, or never was, is fine.

        Raises:
            ConnectionError: the stand-in did not answer, so that nothing is known.
        """
        with _answered(fine="InvalidVolume.NotFound"):
            self._client("ec2").delete_volume(VolumeId=identifier)

    def _client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        with self._lock:
            if service not in self._clients:
                key = administrator(self._layout)
                session = boto3.session.Session(key.access_key_id, key.secret_access_key)
                config = Config(connect_timeout=2, read_timeout=10, retries={"max_attempts": 1}, proxies={})
                where = {"region_name": self._layout.region, "endpoint_url": self._layout.url("aws")}
                self._clients[service] = session.client(service, config=config, **where)
            return self._clients[service]


@contextlib.contextmanager
def _answered(fine: str = "") -> Iterator[None]:
    """A refusal with another code than ``fine``, or no answer at all, is a ``ConnectionError``: it is tried again."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != fine:
            raise ConnectionError(str(error)) from error
    except BotoCoreError as error:
        raise ConnectionError(str(error)) from error


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
