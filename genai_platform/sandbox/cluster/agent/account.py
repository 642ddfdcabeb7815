"""What the nodes of EKS Auto Mode make in the AWS account, made in the stand-in: the EBS volumes of claims.

They carry the tags Auto Mode gives, by which the audit finds them, and none of ours.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from genai_platform.sandbox.aws.identity import administrator
from genai_platform.sandbox.place import Place


class Account:
    """The account's EC2 and EKS interfaces at the stand-in's address. Safe for threads."""

    def __init__(self, place: Place) -> None:
        self._place, self._region = place, place.region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def cluster(self) -> str | None:
        """The name of the cluster in the account; None while there is none.

        Raises:
            ConnectionError: the stand-in did not answer, so that nothing is known.
        """
        with _answered():
            names = self._client("eks").list_clusters()["clusters"]
        return str(names[0]) if names else None

    def create_volume(self, *, name: str, claim: tuple[str, str], gigabytes: int, kind: str) -> str:
        """An EBS volume for a claim (namespace and name); its id. Without a cluster in the account the id is made up.

        Raises:
            ConnectionError: the stand-in did not answer, or refused.
        """
        cluster = self.cluster()
        if cluster is None:
            return f"vol-{uuid.uuid4().hex[:17]}"
        tags = {
            "eks:eks-cluster-name": cluster,
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
            made = (
                before[0]
                if before
                else ec2.create_volume(
                    AvailabilityZone=f"{self._region}a",
                    Size=max(gigabytes, 1),
                    VolumeType=kind,
                    Encrypted=True,
                    TagSpecifications=[{"ResourceType": "volume", "Tags": _tags(tags)}],
                )
            )
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
                key = administrator(self._place)
                session = boto3.session.Session(key.access_key_id, key.secret_access_key)
                config = Config(connect_timeout=2, read_timeout=10, retries={"max_attempts": 1}, proxies={})
                self._clients[service] = session.client(
                    service, region_name=self._region, endpoint_url=self._place.url("aws"), config=config
                )
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
