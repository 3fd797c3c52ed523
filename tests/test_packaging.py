"""What is installed: a pure-Python wheel with its types, its licence and its command."""

import email
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (path,) = folder.iterdir()
    return path


def test_the_wheel_is_pure_python(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "symdiff").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == package
    assert "symdiff/py.typed" in package
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_metadata_says_what_installs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == "symdiff"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    always = {
        requirement.partition(">")[0]
        for requirement in metadata.get_all("Requires-Dist", [])
        if "extra ==" not in requirement
    }
    assert always == {"numpy", "scipy", "sympy", "optree", "platformdirs"}


def test_the_command_is_installed():
    (script,) = entry_points(group="console_scripts", name="symdiff")
    assert callable(script.load())


SLOW = {
    "hashlib", "pathlib", "random", "scipy", "string", "sympy", "sysconfig", "tempfile", "urllib"
}


def loaded_by(code):
    """The modules of SLOW that a program brings in which its dependencies do without."""
    script = (
        "import sys, numpy, optree; before = set(sys.modules)\n"
        f"{code}\n"
        f"print(*[name for name in {SLOW} if name in set(sys.modules) - before])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    return set(run.stdout.split())


def test_importing_costs_little_more_than_importing_numpy():
    assert loaded_by("import hashlib") >= {"hashlib"}  # the test can fail
    assert not loaded_by("import symdiff")


def test_a_first_gradient_needs_no_large_library():
    program = "import symdiff; symdiff.grad(lambda x: x * x)(1.0)"
    assert not loaded_by(program)
