"""Annotations and job summaries: GitHub reads the very texts that checks gave, as data."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from genai_platform.checks.check import Result
from genai_platform.ui.github import annotation_lines, summary

PASSED = Result("litellm.chat", "pass", "gpt-4o-mini: 「こんにちは」", 1.25, "")
FAILED = Result("langfuse.trace", "fail", "no trace", 60, "run: genai logs langfuse-worker")
SKIPPED = Result("azure.stream", "skip", "azure.apim.streaming is off", 0, "")
ODD = (
    "100 %",
    "%0A",
    "first\r\n::set-output name=x::y",
    "a, b: c :: d",
    "a | b \\| c \\",
    "<img src=x onerror=alert(1)> &lt;",
    "**bold** _it_ `code` ~~gone~~",
    "[text](https://x.example.com) ![p](q) https://x.example.com",
    "# heading\n\n- item\n| --- |",
    "日本語 é",
    "",
)


def test_each_failed_check_is_one_annotation_and_nothing_else_is() -> None:
    assert list(annotation_lines([PASSED, FAILED, SKIPPED])) == ["::error title=langfuse.trace::no trace%0Arun: genai logs langfuse-worker"]
    assert list(annotation_lines([PASSED, SKIPPED])) == []
    assert list(annotation_lines([replace(FAILED, hint="")])) == ["::error title=langfuse.trace::no trace"]


def test_where_nothing_passed_and_nothing_failed_it_says_so() -> None:
    assert list(annotation_lines([SKIPPED, SKIPPED])) == ["::error title=genai verify::no check passed, 2 skipped"]


@pytest.mark.parametrize("text", ODD)
def test_an_annotation_is_one_line_out_of_which_github_reads_the_same_text(text: str) -> None:
    (line,) = annotation_lines([Result(text, "fail", text, 1.0, "")])
    assert len(f"{line}x".splitlines()) == 1
    title, _, message = line.removeprefix("::error title=").partition("::")
    assert not {":", ","} & set(title)
    assert unquote(title) == unquote(message) == text


def cells(markdown: str) -> list[list[str]]:
    """The table's rows as GitHub's Markdown shows them: only text may be in a cell, else its kind is given instead."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    rows: list[list[str]] = []
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            rows.append([])
        if before.type in ("td_open", "th_open"):
            kinds = [
                child.content if child.type in ("text", "text_special", "html_inline") else f"({child.type})"
                for child in token.children or ()
            ]
            rows[-1].append("".join(kinds))
    return rows


def test_the_summary_counts_and_lists_every_check_failed_ones_first() -> None:
    text = summary("'default': AWS account 123456789012", [PASSED, SKIPPED, FAILED], 61.0)
    assert text.startswith("### genai verify: 1 passed, 1 failed, 1 skipped in 1 min 01 s\n")
    assert "AWS account 123456789012" in text
    assert cells(text) == [
        ["check", "result", "time", "evidence"],
        ["langfuse.trace", "(strong_open)fail(strong_close)", "1 min 00 s", "no trace<br>run: genai logs langfuse-worker"],
        ["litellm.chat", "pass", "1.2 s", "gpt-4o-mini: 「こんにちは」"],
        ["azure.stream", "skip", "0.0 s", "azure.apim.streaming is off"],
    ]
    assert text.endswith("|\n\n")  # what another command appends is a paragraph of its own


@pytest.mark.parametrize("text", ODD)
def test_what_a_check_saw_is_data_in_the_summary(text: str) -> None:
    (_, row) = cells(summary("x", [Result("a.b", "pass", text, 1.0, "never shown")], 1.0))
    assert row == ["a.b", "pass", "1.0 s", " ".join(text.split())]
