"""What the documents show is what happens: sessions, command lines, the set-up commands, links."""

import doctest
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
]
PROMPT = "$ symdiff "


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Each `$ symdiff ...` line of the documents with the output shown under it."""
    return [
        (command, "".join(output))
        for page in PAGES
        for block in blocks(page, "console")
        for command, *output in (
            entry.splitlines(keepends=True) for entry in block.split(PROMPT) if entry
        )
    ]


def session_of(page: str) -> str:
    """The page with all but its Python sessions blanked, so that line numbers stay right."""
    lines = []
    inside = False
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = line == "```pycon"
        lines.append(line if inside and not line.startswith("```") else "")
    return "\n".join(lines)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "pycon")])
def test_session(page):
    session = doctest.DocTestParser().get_doctest(session_of(page), {}, page, str(ROOT / page), 0)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize(("command", "output"), commands())
def test_command_line(command, output):
    program = Path(sys.executable).with_name("symdiff")
    run = subprocess.run(
        [program, *shlex.split(command)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, output), run.stderr


def test_ci_runs_the_test_command_of_the_readme():
    setup, *_ = blocks("README.md", "sh")
    _train, test = (line for line in setup.splitlines() if not line.startswith("#"))
    assert test in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


def test_links_lead_somewhere():
    missing = [
        f"{page}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
        if not target.startswith("https://") and not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert not missing


def test_the_declaration_shown_to_contributors_is_one():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^   ```python\n(.*?)^   ```$", text, re.MULTILINE | re.DOTALL)
    declared = (ROOT / "symdiff" / "ops" / "special_error.py").read_text(encoding="utf-8")
    assert textwrap.dedent(shown) in declared
