"""The tool that runs other projects' tests, and the lists that it compares with."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LISTS = sorted((ROOT / "tests" / "dropin" / "expected").glob("*.txt"))


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    module = importlib.import_module("foreign_tests")
    monkeypatch.setitem(sys.modules, "foreign_tests", module)
    return module


def test_what_is_not_as_listed_is_named(tool: ModuleType, tmp_path: Path) -> None:
    expected = tmp_path / "list.txt"
    expected.write_text(
        "# a list\n\na::fails | - | because\na::passes | - | no more\na::gone | 3.0, 4.0 | it was\n"
    )
    outcomes = {"a::fails": "failed", "a::passes": "passed", "a::new": "failed", "a::good": "passed"}
    said = tool.judge(outcomes, tool.read_expected(expected), "3.0")
    assert [line.rpartition(" ")[2] for line in said] == ["a::new", "a::gone", "a::passes"]
    said = tool.judge(outcomes, tool.read_expected(expected), "1.1.1")
    assert [line.rpartition(" ")[2] for line in said] == ["a::new", "a::passes"]
    assert (
        tool.judge({"a::fails": "failed", "a::passes": "failed"}, tool.read_expected(expected), "3.5") == []
    )


def test_a_line_without_a_reason_is_an_error(tool: ModuleType, tmp_path: Path) -> None:
    expected = tmp_path / "list.txt"
    expected.write_text("a::fails | -\n")
    with pytest.raises(tool.ToolError, match="not of the form"):
        tool.read_expected(expected)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_listed_test_has_its_reason(tool: ModuleType, path: Path) -> None:
    lines = tool.read_expected(path)
    assert len({item.test for item in lines}) == len(lines)
    assert all(len(item.reason) > 10 for item in lines)


def test_reports_are_read(tool: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="t.A" name="good"/>'
        '<testcase classname="t.A" name="bad"><failure message="x"/></testcase>'
        '<testcase classname="t.A" name="broken"><error message="x"/></testcase>'
        '<testcase classname="t.A" name="left out"><skipped message="x"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert tool.read_report(report) == {
        "t.A::good": "passed",
        "t.A::bad": "failed",
        "t.A::broken": "failed",
        "t.A::left out": "skipped",
    }
