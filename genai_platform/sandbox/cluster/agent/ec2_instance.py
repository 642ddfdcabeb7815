"""The EC2 instance behind the node: launched once there is a cluster, ended when its deletion begins, as Auto Mode does it.

The node's ``spec.providerID`` names it, so that controllers which look their nodes up in EC2 find one.
"""

from __future__ import annotations

import logging
import threading

from genai_platform.sandbox.cluster.agent.aws_account import Account
from genai_platform.sandbox.cluster.agent.node import Node
from genai_platform.sandbox.cluster.agent.provisioner import Provisioner
from genai_platform.sandbox.cluster.api import ApiError

_LOOK = 2.0
_log = logging.getLogger(__name__)


class Machine(threading.Thread):
    """Keeps instance and node as the cluster in EKS says."""

    def __init__(self, account: Account, node: Node, provisioner: Provisioner) -> None:
        super().__init__(name="machine", daemon=True)
        self._account, self._node, self._provisioner = account, node, provisioner

    def run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.turn()
            except (ConnectionError, ApiError) as error:
                _log.info("the node's instance: %s", error)
            except Exception:
                _log.exception("the node's instance")
            pause.wait(_LOOK)

    def turn(self) -> None:
        """One look, and what follows from it.

        Raises:
            ConnectionError: the account did not answer.
            ApiError: the Kubernetes API did not.
        """
        network = self._account.network()
        there = self._account.instances()
        if network is None:
            self._account.terminate([identifier for _, identifier in there])
        elif not there and not self._provisioner.refused():
            there = [self._account.launch(*network)]
        if network is not None and there:
            zone, identifier = there[0]
            self._node.belongs_to(f"aws:///{zone}/{identifier}")
