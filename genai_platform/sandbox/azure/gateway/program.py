"""A policy document, checked element by element, as the tree the gateway executes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from genai_platform.render import policy_forms
from genai_platform.render.policy import parse
from genai_platform.sandbox.azure.gateway import csharp

SECTIONS = ("inbound", "backend", "outbound", "on-error")

# Element -> its attributes (required ones end in "!"), and its children in their documented order.
# API Management policy reference, read November 2026; only what this gateway executes.
_STATEMENTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "base": ((), ()),
    "choose": ((), ("when", "otherwise")),
    "set-header": (("name!", "exists-action"), ("value",)),
    "set-variable": (("name!", "value!"), ()),
    "set-body": ((), ()),
    "set-backend-service": (("backend-id!",), ()),
    "validate-jwt": (
        (
            "header-name!", "require-scheme", "clock-skew", "failed-validation-httpcode", "failed-validation-error-message",
            "output-token-variable-name",
        ),
        ("openid-config", "audiences", "issuers", "required-claims"),
    ),
    "cache-lookup-value": (("key!", "variable-name!", "caching-type"), ()),
    "cache-store-value": (("key!", "value!", "duration!", "caching-type"), ()),
    "cache-remove-value": (("key!", "caching-type"), ()),
    "send-request": (
        ("mode", "response-variable-name!", "timeout", "ignore-error"),
        ("set-url", "set-method", "set-header", "set-body", "authentication-managed-identity"),
    ),
    "return-response": ((), ("set-status", "set-header", "set-body")),
    "forward-request": (("timeout", "buffer-response", "fail-on-error-status-code"), ()),
}  # fmt: skip
_PARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "value": ((), ()),
    "openid-config": (("url!",), ()),
    "audiences": ((), ("audience",)),
    "audience": ((), ()),
    "issuers": ((), ("issuer",)),
    "issuer": ((), ()),
    "required-claims": ((), ("claim",)),
    "claim": (("name!", "match"), ("value",)),
    "set-url": ((), ()),
    "set-method": ((), ()),
    "set-status": (("code!", "reason"), ()),
    "authentication-managed-identity": (("resource!",), ()),
}
_BLOCKS = {"when": ("condition!",), "otherwise": ()}
_ONLY_IN = {
    "validate-jwt": ("inbound",),
    "forward-request": ("backend",),
    "set-backend-service": ("inbound", "backend"),
    "base": SECTIONS,
}


@dataclass(frozen=True)
class Node:
    """One element: its name, attributes, text and children."""

    tag: str
    attributes: Mapping[str, str]
    text: str
    children: tuple[Node, ...]

    def all(self, tag: str) -> list[Node]:
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> Node | None:
        return next(iter(self.all(tag)), None)

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)


Program = Mapping[str, tuple[Node, ...]]


def compile_policy(text: str) -> Program:
    """Read a policy document.

    Raises:
        ValueError: what this gateway does not know, one fault a line: such a policy must not be deployed here.
    """
    root = parse(text)
    if root.tag != "policies":
        raise ValueError(f"a policy document begins with <policies>, not <{root.tag}>")
    names = [section.tag for section in root]
    if any(name not in SECTIONS for name in names) or len(set(names)) != len(names):
        raise ValueError(f"the sections of a policy are {', '.join(SECTIONS)}, each once; found {', '.join(names)}")
    faults: list[str] = []
    program = {section.tag: tuple(_statement(element, section.tag, faults) for element in section) for section in root}
    if sum(1 for node in program.get("backend", ()) if node.tag in ("base", "forward-request")) > 1:
        faults.append("<backend> takes <base> or <forward-request>, never both")
    if faults:
        raise ValueError("\n".join(faults))
    return {section: program.get(section, ()) for section in SECTIONS}


def inherited(program: Program, base: Program) -> Program:
    """A policy with the statements of the wider scope where it says ``<base />``."""
    return {section: tuple(_spliced(nodes, base.get(section, ()))) for section, nodes in program.items()}


def _spliced(nodes: tuple[Node, ...], base: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        if node.tag == "base":
            yield from base
        else:
            yield replace(node, children=tuple(_spliced(node.children, base)))


def _statement(element: Element, section: str, faults: list[str]) -> Node:
    known = _STATEMENTS.get(element.tag)
    if known is None:
        faults.append(f"<{element.tag}> in {section} is not known to this gateway")
        return Node(element.tag, {}, "", ())
    if section not in _ONLY_IN.get(element.tag, SECTIONS):
        faults.append(f"<{element.tag}> is not allowed in {section}")
    if element.tag == "choose":
        blocks = tuple(_block(child, section, faults) for child in element)
        _order(element, ("when", "otherwise"), faults)
        return Node("choose", {}, "", blocks)
    return _checked(element, *known, faults)


def _block(element: Element, section: str, faults: list[str]) -> Node:
    if element.tag not in _BLOCKS:
        faults.append(f"<choose> does not take <{element.tag}>")
        return Node(element.tag, {}, "", ())
    _attributes(element, _BLOCKS[element.tag], faults)
    return Node(element.tag, dict(element.attrib), "", tuple(_statement(child, section, faults) for child in element))


def _checked(element: Element, attributes: tuple[str, ...], children: tuple[str, ...], faults: list[str]) -> Node:
    _attributes(element, attributes, faults)
    _order(element, children, faults)
    text = (element.text or "").strip()
    _expression(element.tag, "text", text, faults)
    nodes: list[Node] = []
    for child in element:
        own = _PARTS.get(child.tag) or _STATEMENTS.get(child.tag)
        if child.tag in children and own:
            nodes.append(_checked(child, *own, faults))
    return Node(element.tag, dict(element.attrib), text, tuple(nodes))


def _attributes(element: Element, known: tuple[str, ...], faults: list[str]) -> None:
    names = {name.rstrip("!") for name in known}
    for name, value in element.attrib.items():
        if name not in names:
            faults.append(f"<{element.tag}> attribute {name} is not known to this gateway")
        _expression(element.tag, name, value, faults)
    faults.extend(
        f"<{element.tag}> needs the attribute {name[:-1]}" for name in known if name.endswith("!") and name[:-1] not in element.attrib
    )


def _order(element: Element, known: tuple[str, ...], faults: list[str]) -> None:
    tags = [child.tag for child in element]
    strange = [tag for tag in tags if tag not in known]
    if strange:
        faults.append(f"<{element.tag}> does not take <{strange[0]}>")
    elif [known.index(tag) for tag in tags] != sorted(known.index(tag) for tag in tags):
        faults.append(f"<{element.tag}>: children must come in the order {', '.join(known)}")


def _expression(tag: str, where: str, value: str, faults: list[str]) -> None:
    if value.startswith("@") and policy_forms.recognise(value) is None:
        faults.append(f"<{tag}> {where}: an expression form that this gateway does not know: {value[:100]}")
    elif value.startswith("@") and (strange := csharp.unknown(value)):
        faults.append(f"<{tag}> {where}: not known to policy expressions: {', '.join(strange)}")
    elif not value.startswith("@") and ("@(" in value or "@{" in value):
        faults.append(f"<{tag}> {where}: an expression inside text: {value[:100]}")
