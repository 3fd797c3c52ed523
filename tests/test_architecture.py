"""The layers of docs/architecture.md: who imports whom, what loads when, which test is whose."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symdiff"
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

LAYERS = (
    ("errors",),
    ("ir",),
    ("ops",),
    ("frontend",),
    ("autodiff", "batch", "batch_control", "rewrite"),
    ("schedule",),
    ("codegen", "runtime"),
    ("pipeline", "inspect"),
    ("api", "testing", "cli"),
    ("__init__", "__main__"),
)
LAYER = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}

# Downward imports that would be a leak all the same.
UNSEEN = {
    ("schedule", "autodiff"): "a schedule is made of any graph, not of derivatives",
    ("codegen", "rewrite"): "a printer takes no decision",
}

# Slow to import, hence imported inside functions, or in modules that are themselves loaded late.
SLOW = {"scipy", "sympy"}
LINALG = {
    "ops/scipy_factors.py",
    "ops/scipy_linalg.py",
    "ops/scipy_matrices.py",
    "ops/scipy_sparse.py",
}
SPECIAL = {
    "ops/special.py",
    "ops/special_bessel.py",
    "ops/special_elliptic.py",
    "ops/special_error.py",
    "ops/special_gamma.py",
    "ops/special_polynomials.py",
    "ops/special_several.py",
    "ops/special_sums.py",
}
SOLVERS = {
    "api/iterative.py",
    "api/ode.py",
    "api/ode_events.py",
    "api/optimize.py",
    "api/quadrature.py",
}
LOADED_LATE = {
    *LINALG,
    *SOLVERS,
    "codegen/sympy_source.py",
    "frontend/distributions.py",
    "frontend/sparse_entries.py",
    "ops/distances.py",
    "ops/distributions.py",
    "ops/integration.py",
    "ops/scipy_fft.py",
    "ops/signal.py",
    "ops/signal_filters.py",
    "ops/summaries.py",
    *SPECIAL,
}

# Declarations are tested from the records themselves; every other module has a test file.
GENERATED_TESTS = {
    "ops/test_every_primitive.py": {
        "ops/clipping.py",
        "ops/decompositions.py",
        "ops/elementwise.py",
        "ops/equations.py",
        "ops/polynomials.py",
        "ops/linalg.py",
        "ops/folding.py",
        "ops/masked.py",
        "ops/placing.py",
        "ops/recurrence.py",
        "ops/reductions.py",
        "ops/scipy_fft.py",
        "ops/several.py",
        *LINALG,
        "ops/shaping.py",
        *SPECIAL,
    },
    "ops/test_numerical_care.py": {"ops/elementwise.py", "ops/stable.py", *SPECIAL},
    "rewrite/test_every_rule.py": {
        "rewrite/algebra.py",
        "rewrite/broadcast.py",
        "rewrite/constants.py",
        "rewrite/linalg.py",
        "rewrite/stability.py",
        "rewrite/stores.py",
    },
}


class Import(NamedTuple):
    line: int
    module: str
    at_load: bool  # executed when the importing module is loaded


def runs_later(node: ast.AST) -> bool:
    """Loading a module does not run what is inside this node."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imports(source: str) -> Iterator[Import]:
    """All imports of a module; they are absolute, which ruff checks."""

    def visit(node: ast.AST, at_load: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node.lineno, f"{node.module}.{alias.name}", at_load)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_load and not runs_later(node))

    return visit(ast.parse(source), at_load=True)


def package_of(file: str) -> str:
    """`ops` for ops/linalg.py, `batch` for batch.py."""
    return file.partition("/")[0].removesuffix(".py")


def imported_package(module: str) -> str | None:
    """The package of symdiff that an imported name belongs to; None for other libraries."""
    root, *names = module.split(".")
    if root != "symdiff":
        return None
    return names[0] if names and names[0] in LAYER else "__init__"


def violations(file: str, source: str) -> Iterator[str]:
    package = package_of(file)
    for line, module, at_load in imports(source):
        where = f"symdiff/{file}:{line}: imports {module}"
        other = imported_package(module)
        if other is None:
            if at_load and module.partition(".")[0] in SLOW and file not in LOADED_LATE:
                yield f"{where} when loaded; import it in the function that uses it"
        elif LAYER[other] > LAYER[package]:
            yield f"{where}, which is in a higher layer"
        elif (package, other) in UNSEEN:
            yield f"{where}; {UNSEEN[package, other]}"


def test_every_package_has_a_layer():
    assert {package_of(file) for file in MODULES} <= LAYER.keys()


def test_imports_point_downwards():
    found = [
        violation
        for file, path in MODULES.items()
        for violation in violations(file, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_packages_import_each_other_without_cycles():
    graph: dict[str, set[str]] = {}
    for file, path in MODULES.items():
        package = package_of(file)
        others = (imported_package(each.module) for each in imports(path.read_text("utf-8")))
        graph.setdefault(package, set()).update(other for other in others if other)
        graph[package].discard(package)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("ir/node.py", "import symdiff.ops.primitive"),
        ("ir/node.py", "from symdiff.ops import primitive"),
        ("ir/node.py", "from symdiff import ops"),
        ("ir/node.py", "from symdiff import grad"),
        ("ir/node.py", "def late():\n    from symdiff import ops"),
        ("batch.py", "if TYPE_CHECKING:\n    from symdiff.schedule import program"),
        ("schedule/order.py", "from symdiff.autodiff import transpose"),
        ("ir/types.py", "import scipy.special"),
        ("ir/types.py", "if True:\n    from sympy import Symbol"),
    ],
)
def test_a_violation_is_found(file, source):
    assert len(list(violations(file, source))) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "ops/linalg.py",
            "import numpy as np\nfrom symdiff.ir import types\nimport symdiff.errors",
        ),
        ("ops/linalg.py", "from symdiff.ops.primitive import linear"),
        ("ops/linalg.py", "def late():\n    import scipy.special"),
        ("ops/linalg.py", "if typing.TYPE_CHECKING:\n    import sympy"),
        ("inspect/show.py", "import inspect\nfrom symdiff import pipeline"),
        ("cli.py", "from symdiff import api, inspect"),
        ("__init__.py", "from symdiff.api import grad"),
    ],
)
def test_what_is_allowed_is_not_reported(file, source):
    assert not list(violations(file, source))


def test_importing_symdiff_loads_only_three_packages():
    script = (
        "import sys, numpy, optree; before = set(sys.modules); import symdiff\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "new = {each for each in new if not each.startswith('_sysconfigdata')}\n"  # Python's own
        "print(*sorted(new - set(sys.stdlib_module_names) - {'symdiff'}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.split() == []


def mirror(file: str) -> str:
    """`ops/test_linalg.py` for ops/linalg.py."""
    path = Path(file)
    return path.with_name(f"test_{path.name}").as_posix()


def test_every_module_has_a_test_file():
    generated = set().union(*GENERATED_TESTS.values())
    expected = {
        mirror(file)
        for file, path in MODULES.items()
        if not path.name.startswith("__") and file not in generated
    } | {test for test, files in GENERATED_TESTS.items() if files & MODULES.keys()}
    missing = [test for test in sorted(expected) if not (ROOT / "tests" / test).is_file()]
    assert not missing, f"missing: tests/{', tests/'.join(missing)}"


def test_every_test_file_in_a_mirrored_folder_has_a_module():
    folders = {path.parent for path in MODULES.values()} - {PACKAGE}
    tests = {
        test.relative_to(ROOT / "tests").as_posix()
        for folder in folders
        for test in (ROOT / "tests" / folder.relative_to(PACKAGE)).glob("test_*.py")
    }
    stray = sorted(tests - {mirror(file) for file in MODULES} - GENERATED_TESTS.keys())
    assert not stray, f"no module for tests/{', tests/'.join(stray)}"
