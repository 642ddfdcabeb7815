"""Where Terraform's state lies, and what can be read from it without running Terraform."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genai_platform.advice import advice, genai
from genai_platform.config.target import Target
from genai_platform.errors import GenaiError, StepError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent

_PROTECTIVE: dict[str, tuple[str, object]] = {
    # A resource type, the argument that keeps it from going, and the value with which it goes.
    "aws_s3_bucket": ("force_destroy", True),
    "aws_rds_cluster": ("skip_final_snapshot", True),
    "aws_secretsmanager_secret": ("recovery_window_in_days", 0),
}

ERRORED = "errored.tfstate"
"""What Terraform calls a state that it could not store."""


class StateUnreadable(StepError):
    """A root's state exists and cannot be read: it is damaged, or the file may not be opened."""


class States:
    """The state of each root: a file of the environment's folder, or an object of the state bucket."""

    def __init__(self, target: Target, aws: Aws) -> None:
        self.target = target
        self.aws = aws

    @property
    def remote(self) -> bool:
        """Whether states lie in S3."""
        return self.target.settings.terraform.backend == "s3"

    def bucket(self) -> str:
        """The state bucket's name. Asks AWS for the account when the configuration names none."""
        named = self.target.settings.terraform.bucket
        return named or f"{self.target.prefix}-state-{self.target.settings.aws.account_id or self.aws.account_id()}"

    def key(self, root: str) -> str:
        """The object a root's state is. One bucket may hold the states of several environments."""
        return f"{self.target.prefix}/{root}.tfstate"

    def backend(self, root: str) -> dict[str, Any] | None:
        """The content of ``backend.tf.json``; None for a local state."""
        if not self.remote:
            return None
        s3: dict[str, Any] = {
            "bucket": self.bucket(), "key": self.key(root), "region": self.aws.region, "encrypt": True,
            "use_lockfile": True,  # Terraform's own lock, an object next to the state: no table is needed
        }  # fmt: skip
        if not self.target.endpoints.real:
            s3["use_path_style"] = True
        return {"terraform": {"backend": {"s3": s3}}}

    def read(self, root: str) -> dict[str, Any] | None:
        """The state's document; None when there is none.

        Raises:
            StepError: it cannot be reached or is not a state. Never taken for an empty one.
        """
        text = self._remote_text(root) if self.remote else self._local_text(root)
        if text is None:
            return None
        try:
            document = json.loads(text)
            if not isinstance(document, dict) or not isinstance(document.get("resources", []), list):
                raise TypeError
        except (ValueError, TypeError):
            raise StateUnreadable(
                f"the state of terraform root '{root}' cannot be read: it is damaged",
                remedy=f"restore {self.place(root)} from {'an earlier version' if self.remote else 'its .backup'}",
                id="terraform.state",
            ) from None
        return document

    def place(self, root: str) -> str:
        """Where the state lies, for people."""
        if self.remote:
            return f"s3://{self.bucket()}/{self.key(root)}"
        return str(self.target.folder / "terraform" / root / "terraform.tfstate")

    def resources(self, root: str) -> int:
        """How many resources the state holds; 0 when there is no state. Raises ``StepError`` as ``read`` does."""
        return sum(1 for _ in _managed(self.read(root)))

    def outputs(self, root: str) -> dict[str, Any] | None:
        """The root's outputs by name, each with ``value`` and ``type``; ``None`` while it has no resource. Errors as ``read`` has them."""
        document = self.read(root)
        return (document or {}).get("outputs", {}) if any(_managed(document)) else None

    def addresses(self, root: str) -> frozenset[str]:
        """The addresses of all resource instances of the state, e.g. ``aws_subnet.public["a"]``. Raises ``StepError`` as ``read`` does."""
        return frozenset(_address(resource, instance) for resource, instance in _managed(self.read(root)))

    def errored(self, root: str) -> Path | None:
        """The state that a run could not store and left in the root's folder, when it is newer than the stored one.

        Terraform writes ``errored.tfstate`` when the state cannot be written where it belongs, e.g. since credentials ended
        in the middle of a run (Terraform, "state push" and "Error: Failed to persist state to backend").

        Raises:
            StepError: it cannot be compared: it is damaged, belongs to another history, or the stored one cannot be read.
        """
        path = self.target.folder / "terraform" / root / ERRORED
        if not path.exists():
            return None
        try:
            left = json.loads(path.read_text(encoding="utf-8"))
            serial, lineage = int(left["serial"]), str(left["lineage"])
        except (OSError, ValueError, KeyError, TypeError):
            raise StepError(
                f"terraform root '{root}': an earlier run could not store its state, and {path} cannot be read",
                remedy=advice("see what that run made with: {}; move {} away when nothing of it is needed", genai("audit"), str(path)),
                id="terraform.errored",
            ) from None
        stored = self.read(root)
        if stored is None:
            return path
        if stored.get("lineage") != lineage:
            raise StepError(
                f"terraform root '{root}': {path}, which an earlier run could not store, is not of the same history as {self.place(root)}",
                remedy=f"find out which of the two is right; move {path} away when the stored one is",
                id="terraform.errored",
            )
        return path if serial > int(stored.get("serial", 0)) else None

    def protected(self, root: str) -> tuple[str, ...]:
        """Addresses whose state still holds an argument that would keep them from being deleted."""
        found = set()
        for resource, instance in _managed(self.read(root)):
            attributes = instance.get("attributes") or {}
            argument, harmless = _PROTECTIVE.get(resource["type"], ("deletion_protection", False))
            held = attributes.get(argument)
            if (held is not None and held != harmless) or attributes.get("deletion_protection") is True:
                found.add(f"{resource['type']}.{resource['name']}")
        return tuple(sorted(found))

    def tags(self, root: str, address: str) -> dict[str, str]:
        """The tags of one resource instance, by its address (``aws_iam_role.this["a"]``); none when it is not in the state."""
        for resource, instance in _managed(self.read(root)):
            if _address(resource, instance) == address:
                attributes = instance.get("attributes") or {}
                return dict(attributes.get("tags_all") or attributes.get("tags") or {})
        return {}

    def holder(self, root: str) -> dict[str, str] | None:
        """Who holds the lock of a state in S3: Terraform's ``ID``, ``Who``, ``Created`` and ``Operation``. None: nobody, or unknown.

        A local state's lock ends with its process; the one in S3 is an object next to the state, and outlives a power cut.
        """
        if not self.remote:
            return None
        try:
            with explained(f"read the lock of terraform root '{root}'"):
                answer = self.aws.client("s3").get_object(Bucket=self.bucket(), Key=f"{self.key(root)}.tflock")
                found = json.loads(answer["Body"].read())
        except (GenaiError, ValueError):
            return None
        return {name: str(found.get(name, "")) for name in ("ID", "Who", "Created", "Operation")} if isinstance(found, dict) else None

    def _local_text(self, root: str) -> str | None:
        path = self.target.folder / "terraform" / root / "terraform.tfstate"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            text = f"the state of terraform root '{root}' cannot be read: {type(error).__name__}"
            raise StateUnreadable(text, id="terraform.state") from None
        # Terraform leaves an empty file behind when it was ended between taking its lock and writing.
        return text or None

    def _remote_text(self, root: str) -> str | None:
        with explained(f"read the state of terraform root '{root}'"):
            answer = unless_absent(self.aws.client("s3").get_object, Bucket=self.bucket(), Key=self.key(root))
            return None if answer is None else str(answer["Body"].read().decode("utf-8", "replace"))


def _address(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    index = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return f"{resource['type']}.{resource['name']}{index}"


def _managed(state: dict[str, Any] | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each instance of a state's resources, behind its resource; data sources are none."""
    for resource in (state or {}).get("resources", []):
        if resource.get("mode") == "managed":
            yield from ((resource, instance) for instance in resource.get("instances", []))
