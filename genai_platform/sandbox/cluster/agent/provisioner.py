"""New nodes, as EKS Auto Mode asks EC2 for them: here one node takes every pod, until the state says EC2 gives none.

``refuse-instances`` in the folder of the AWS stand-in holds the code with which EC2 refuses. A pod that comes then finds the
node full. As Karpenter does, a NodeClaim is made and nominated, fails, and is deleted again: what is left is its event.
"""

from __future__ import annotations

import contextlib
import time
import uuid

from genai_platform.sandbox.cluster.agent.events import Events
from genai_platform.sandbox.cluster.api import Api, ApiError, Object
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import NODE_CLAIM_RETRY

STATE = "refuse-instances"
_API = "/apis/karpenter.sh/v1"
_POOL = "general-purpose"
_FULL = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
_MESSAGES = {
    "VcpuLimitExceeded": "You have requested more vCPU capacity than your current vCPU limit of 5 allows for the instance bucket that"
    " the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment.",
    "InsufficientInstanceCapacity": "We currently do not have sufficient c6a.large capacity in the Availability Zone you requested."
    " Our system will be working on provisioning additional capacity.",
}


class Provisioner:
    """Makes nodes for pods that none takes, or says why it cannot."""

    def __init__(self, api: Api, events: Events, layout: SandboxLayout) -> None:
        self._api, self._events, self._layout = api, events, layout
        self._asked: dict[str, float] = {}

    def make_pools(self) -> None:
        """The two node pools that Auto Mode brings along (expiry as it prints them)."""
        for name in (_POOL, "system"):
            reference = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"}
            requirements = [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]
            template = {"expireAfter": "336h", "terminationGracePeriod": "24h0m0s", "nodeClassRef": reference, "requirements": requirements}
            about, spec = {"name": name}, {"template": {"spec": template}}
            pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": about, "spec": spec}
            with contextlib.suppress(ApiError):
                self._api.create(f"{_API}/nodepools", pool)

    def obstacle(self, pod: Object) -> str:
        """Why no node takes the pod; empty when one does.

        Raises:
            ApiError: the API refused a NodeClaim.
        """
        code = self.refused()
        if not code:
            return ""
        uid = pod["metadata"]["uid"]
        if time.monotonic() >= self._asked.get(uid, 0.0):
            self._asked[uid] = time.monotonic() + self._layout.pace.of(NODE_CLAIM_RETRY)
            self._fail(pod, code)
        return _FULL

    def refused(self) -> str:
        """The code with which EC2 refuses new instances; empty when it gives them."""
        file = self._layout.root / "aws" / STATE
        return file.read_text().strip() if file.exists() else ""

    def _fail(self, pod: Object, code: str) -> None:
        name = f"{_POOL}-{uuid.uuid4().hex[:5]}"
        metadata = {"name": name, "labels": {"karpenter.sh/nodepool": _POOL}}
        claim = {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": metadata, "spec": {"requirements": []}}
        made = self._api.create(f"{_API}/nodeclaims", claim)
        self._events.emit(pod, "Nominated", f"Pod should schedule on: nodeclaim/{name}", component="karpenter")
        said = f"creating instance, insufficient capacity, with fleet error(s), {code}: {_MESSAGES.get(code, 'refused')}"
        self._events.emit(made, "InsufficientCapacityError", f"NodeClaim {name} event: {said}", "Warning", "karpenter")
        self._api.delete(f"{_API}/nodeclaims/{name}")
