"""Checks as JUnit XML, for pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from genai_platform.advice import typed

if TYPE_CHECKING:
    from genai_platform.checks.check import Result


def write(path: Path, environment: str, target: str, results: Sequence[Result], seconds: float) -> None:
    """One test suite; a check's family is its class.

    Args:
        target: which world was checked, in words.
    """
    count = {status: sum(1 for result in results if result.status == status) for status in ("fail", "skip")}
    suite = ElementTree.Element(
        "testsuite",
        name=f"genai verify {environment}",
        tests=str(len(results)),
        failures=str(count["fail"]),
        errors="0",
        skipped=str(count["skip"]),
        time=f"{seconds:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="target", value=target)
    for result in results:
        family, _, _ = result.id.partition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=f"genai.{family}", name=result.id, time=f"{result.seconds:.3f}")
        if result.status == "fail":
            failure = ElementTree.SubElement(case, "failure", message=_legal(result.evidence))
            failure.text = _legal(typed(result.hint))
        elif result.status == "skip":
            ElementTree.SubElement(case, "skipped", message=_legal(result.evidence))
        else:
            ElementTree.SubElement(case, "system-out").text = _legal(result.evidence)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _legal(text: str) -> str:
    """Without characters that XML cannot hold."""
    return "".join(
        char for char in text if char in "\t\n" or (char >= " " and not 0xD800 <= ord(char) <= 0xDFFF and ord(char) not in (0xFFFE, 0xFFFF))
    )
