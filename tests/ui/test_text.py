from __future__ import annotations

from genai_platform.ui.text import clean, columns, dollars, duration, width


def test_wide_characters_are_aligned() -> None:
    lines = columns([["名前", "x"], ["ab", "y"]])
    assert [width(line[: line.index(last)]) for line, last in zip(lines, "xy", strict=True)] == [6, 6]


def test_only_control_characters_are_taken_out() -> None:
    assert clean("a\x1b[1;31mred\x1b[0m\x1b]0;title\x07b\r\x00\x9b\tc\nd") == "aredb    c\nd"
    for text in ("東京\u3000タワー", "👩\u200d💻", "a\u00a0b"):
        assert clean(text) == text
    assert width("👩\u200d💻") == 4


def test_durations_and_money() -> None:
    assert [duration(seconds) for seconds in (0.04, 59.94, 65, 3720)] == ["0.0 s", "59.9 s", "1 min 05 s", "1 h 02 min"]
    assert [dollars(amount) for amount in (0, 0.0005, 0.5)] == ["$0.00/h", "$0.0005/h", "$0.50/h"]
