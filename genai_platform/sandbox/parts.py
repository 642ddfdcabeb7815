"""The parts a sandbox is made of, in the order they start, and which of them each waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import Part


@dataclass(frozen=True)
class PartSpec:
    """A part and the names of the parts that must answer before it is started."""

    part: Part
    needs: tuple[str, ...] = ()


_AZURE = "genai_platform.sandbox.azure.part"
# Modules, not objects: `genai --help` must not import moto.
_PARTS = (
    ("genai_platform.sandbox.aws.part", "PART", ()),
    ("genai_platform.sandbox.cluster.control_plane", "ETCD", ()),
    ("genai_platform.sandbox.cluster.control_plane", "API", ("etcd",)),
    ("genai_platform.sandbox.cluster.control_plane", "MANAGER", ("kube-apiserver",)),
    ("genai_platform.sandbox.cluster.webhook", "PART", ("kube-apiserver",)),
    ("genai_platform.sandbox.cluster.agent.part", "PART", ("kube-apiserver", "kube-controller-manager", "webhook", "aws")),
    ("genai_platform.sandbox.load_balancer.part", "PART", ("kube-apiserver", "webhook")),
    ("genai_platform.sandbox.azure.openai_part", "PART", ()),
    (_AZURE, "PART", ()),
)


def parts(layout: SandboxLayout) -> Sequence[PartSpec]:
    """Every part, in the order of ``genai sandbox status``; they stop in the reverse order."""
    own = [one for one in _PARTS if one[0] != _AZURE] if layout.tenant else _PARTS
    return [PartSpec(getattr(import_module(module), name), needs) for module, name, needs in own]
