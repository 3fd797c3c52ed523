"""The command `symdiff`: show, check, export, ops, rules, cache.

Output goes to stdout, talk to stderr.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import redirect_stdout
from typing import Any, NoReturn

import numpy as np

from symdiff import api
from symdiff.errors import SymdiffError, UsageError
from symdiff.frontend.parameters import Parameters, function_name, parameters_of
from symdiff.inspect import coverage, show, tables
from symdiff.inspect.arguments import (
    Typed,
    argument_trees,
    parse_argument,
    samples,
    seen_trees,
    stand_ins,
)
from symdiff.inspect.explain import explain, left_to_numpy
from symdiff.inspect.target import find_target, one_line
from symdiff.pipeline import JVP, STAGES
from symdiff.testing import Comparison, compare_grads, comparison_table

WRONG, USAGE, INTERRUPTED = 1, 2, 130  # the last as shells have it

DESCRIPTION = """\
symdiff differentiates plain NumPy functions and writes the derivative out as NumPy source.
"""
EXAMPLES = """\
examples:
  symdiff show "lambda x: np.sum(np.tanh(x))" --arg 'x: f64[3]'
  symdiff show examples/regression.py:loss --wrt W,b --arg 'W: f64[5,7]' --arg 'b: f64[7]' \\
      --arg 'x: f64[11,5]' --arg 'y: f64[11,7]' --body
  symdiff check examples/rosenbrock.py:rosenbrock --arg 'x: f64[10]'
  symdiff ops tanh
  symdiff rules
"""
TARGETS = """\
a target is
  package.module:function     as `python -m` finds the module
  path/file.py:function       what stands under `if __name__ == "__main__":` does not run
  "lambda x: np.sum(x * x)"   over np, math and scipy
and may be decorated with @symdiff.grad and its kin.

a type is
  f64[128,3072]  f32[10]  i64[10]  c128[4]  bool[3]  f64[]    an array
  f64                                                         a NumPy scalar
  float  int  complex  bool                                   a Python number
  {"W": f64[3,4], "b": [f64[4], float]}                       any nesting of them
  3  0.5  "mean"  None  (2, 3)                                a value

An argument without --arg has its default value, or the type that the function was called with
while its file ran (if it is decorated), or the one in its signature: def f(x: "f64[3]").
"""
SHOW_EXAMPLES = """\
examples:
  symdiff show "lambda x: np.log(1 + np.exp(x))" --arg 'x: float' --explain
  symdiff show "lambda x: np.arcsinh(x)" --mode jvp --arg 'x: f64[3]'
  symdiff show model.py:loss --wrt W,b --stage simplify --diff
  symdiff show model.py:loss --mode value_and_grad --arg 'p: {"W": f64[3,4], "b": f64[4]}' --all
"""

EXPORT_EXAMPLES = """\
examples:
  symdiff export examples/rosenbrock.py:rosenbrock --arg 'x: f64[10]' -o build --blas none
  symdiff export model.py:loss --mode value_and_grad -o build --target py
"""

# How `show --mode` transforms a function with respect to the arguments of these names.
MODES: dict[str, Callable[[Any, Any], api.Transformed]] = {
    "grad": lambda fun, wrt: api.grad(fun, argnames=wrt),
    "value_and_grad": lambda fun, wrt: api.value_and_grad(fun, argnames=wrt),
    "jvp": lambda fun, wrt: api.Transformed(fun, mode=JVP, suffix="jvp", argnames=wrt),
    "hessian": lambda fun, wrt: api.hessian(fun, argnames=wrt),
    "jit": lambda fun, wrt: api.jit(fun),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 for a wrong or impossible derivative, 2 for usage."""
    options = _parser().parse_args(argv)
    try:
        with redirect_stdout(sys.stderr):  # what the user's own code prints is not our output
            text, status = options.command(options)
        sys.stdout.write(_painted(text) if _has_colour() else text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except KeyboardInterrupt:
        return _failed("symdiff: interrupted", INTERRUPTED)
    except UsageError as error:
        return _failed(f"symdiff: {error}", USAGE)
    except SymdiffError as error:
        return _failed(f"{type(error).__name__}: {error}", WRONG)
    except (Exception, SystemExit) as error:  # from the user's function: its line, no traceback
        return _failed(f"symdiff: {one_line(error)}", WRONG)
    return int(status)


def _failed(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


# ---------------------------------------------------------------------------- commands


class _Question:
    """The function that a command is about, and the types of its arguments."""

    def __init__(self, options: argparse.Namespace) -> None:
        api.function.noting = True
        target = find_target(options.target)
        self.noted = None
        if isinstance(target, api.function):
            self.noted = target.noted
            target = target.grad if target.grad.was_compiled else target.value_and_grad
        self.own = target if isinstance(target, api.Transformed) else None
        self.function = self.own.function if self.own else target
        self.parameters: Parameters = parameters_of(self.function)
        self.name = function_name(self.function)
        self.given = _given(options.arg)
        self.trees = argument_trees(self.name, self.parameters, self.given, self._seen())
        self.wrt = None if options.wrt is None else self._names(options.wrt)

    def _seen(self) -> tuple[Any, ...]:
        """The types of the call that the file itself made, if it did."""
        if self.own is not None and self.own.was_compiled:
            request = self.own.compiled.work.request
            return seen_trees(request.leaves, request.spec)
        if self.noted is not None:  # called as it is, not its gradient
            args, kwargs = self.noted
            return seen_trees(*api.jit(self.function).described(*args, **kwargs))
        return ()

    def _names(self, text: str) -> str | tuple[str, ...]:
        """The names in `W,b`. Raises UsageError for one that is no parameter."""
        names = tuple(name.strip() for name in text.split(","))
        for name in names:
            if name not in self.parameters.names:
                known = ", ".join(self.parameters.names)
                raise UsageError(f"--wrt {name!r}: {self.name} takes {known or 'no arguments'}")
        return names[0] if len(names) == 1 else names

    def transformed(self, mode: str | None) -> api.Transformed:
        """The transformation, or what the function is decorated with."""
        if self.own is not None and not mode and not self.wrt:
            return self.own
        if not self.parameters.names:
            raise UsageError(f"{self.name} takes no arguments")
        return MODES[mode or "grad"](self.function, self.wrt or self._selected())

    def steps(self, mode: str | None) -> show.Steps:
        """The stages of the transformation."""
        transformed = self.transformed(mode)
        try:
            stages, values = transformed.stages_of_types, stand_ins(self.trees)
            steps: show.Steps = self.parameters.call(stages, values)
            return steps
        finally:
            self._refuse_unknown(transformed.static_arguments)

    def _selected(self) -> str | Sequence[str]:
        """The arguments that the decorator selects, or the first one."""
        names = self.parameters.names
        if self.own is None:
            return names[0]
        if self.own.argnames is not None:
            return self.own.argnames
        numbers = self.own.argnums
        last = len(names) - 1  # beyond it: *args, whichever of them it is
        if isinstance(numbers, int):
            return names[min(numbers, last)]
        return tuple(dict.fromkeys(names[min(each, last)] for each in numbers)) or names[0]

    def _refuse_unknown(self, static: Collection[str]) -> None:
        """Raises UsageError for an argument that decides a shape when only its type is given."""
        for name, tree in zip(self.parameters.names, self.trees, strict=True):
            if name in static and isinstance(tree, Typed):
                raise UsageError(f"`{name}` decides a shape: give its value, --arg '{name}=3'")


def _given(texts: Sequence[str]) -> dict[str, Any]:
    """The arguments of --arg. Raises UsageError for a name that is given twice."""
    given: dict[str, Any] = {}
    for name, tree in map(parse_argument, texts):
        if name in given:
            raise UsageError(f"--arg {name} is given twice")
        given[name] = tree
    return given


def _show(options: argparse.Namespace) -> tuple[str, int]:
    if options.diff and (options.body or options.explain):
        raise UsageError("--diff goes with --stage NAME or --all")
    steps = _Question(options).steps(options.mode)
    if options.language == "c":
        if options.body or options.stage or options.all or options.diff:
            raise UsageError("--target c is shown as a whole, or with --explain")
        return (left_to_numpy if options.explain else show.in_c)(steps), 0
    if options.explain:
        return explain(steps), 0
    if options.stage:
        text = show.one_difference if options.diff else show.one_stage
        return text(steps, options.stage), 0
    if options.diff or options.all:
        return (show.every_difference if options.diff else show.every_stage)(steps), 0
    return (show.body if options.body else show.source)(steps), 0


def _check(options: argparse.Namespace) -> tuple[str, int]:
    question = _Question(options)
    values = samples(question.trees, np.random.default_rng(options.seed), options.range)
    names = (question.wrt,) if isinstance(question.wrt, str) else question.wrt or ()

    def compare(*args: Any, **kwargs: Any) -> list[Comparison]:
        order = options.order
        return compare_grads(question.function, args, kwargs, argnames=names, order=order)

    try:
        rows = question.parameters.call(compare, values)
    except FloatingPointError as error:
        raise UsageError(f"{error}: try --range 0.1,1, or give values") from None
    wrong = [row for row in rows if not row.ok]
    talk = f"{len(wrong)} of {len(rows)} wrong" if wrong else f"{len(rows)} comparisons agree"
    print(talk, file=sys.stderr)
    return comparison_table(rows), WRONG if wrong else 0


def _export(options: argparse.Namespace) -> tuple[str, int]:
    from symdiff.api.export import export_c, export_python  # for few questions
    from symdiff.codegen.c_export import identifiers

    if options.blas and options.language == "py":
        raise UsageError("--blas goes with --target c")
    if options.name and identifiers([options.name]) != [options.name]:
        raise UsageError(f"--name {options.name!r}: write a name that is free in C")
    question = _Question(options)
    transformed = question.transformed(options.mode)
    values = samples(question.trees, np.random.default_rng(options.seed), options.range)
    name, folder = options.name or "", options.output
    try:
        if options.language == "py":
            files = export_python(transformed, values, folder, name)
        else:
            blas = options.blas or "cblas"
            files = export_c(transformed, values, folder, name=name, blas=blas)
            if not any(each.name.startswith("test_") for each in files):
                print("no test program: it would hold too many numbers", file=sys.stderr)
    except OSError as error:
        raise UsageError(f"-o {folder}: {error.strerror}") from None
    return "".join([f"{each}\n" for each in files]), 0


def _ops(options: argparse.Namespace) -> tuple[str, int]:
    if options.coverage:
        print(coverage.counts(), file=sys.stderr)
        return _listing(coverage.listing(options.word), options.word)
    return _listing(tables.primitives(options.word), options.word)


def _rules(options: argparse.Namespace) -> tuple[str, int]:
    return _listing(tables.rewrite_rules(options.word), options.word)


def _cache(options: argparse.Namespace) -> tuple[str, int]:
    from symdiff.runtime import cache, cleaning  # for few questions

    if options.action == "path":
        return f"{cache.base_folder()}\n", 0
    files = cleaning.clear() if options.action == "clear" else cleaning.every_file()
    verb = "removed" if options.action == "clear" else "kept"
    total = sum(each.size for each in files)
    print(f"{len(files)} files of {total:,} bytes {verb}", file=sys.stderr)
    if options.action == "clear":
        return "", 0
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(each.used))} {each.size:>10,} "
        f"{each.path.parent.name}/{each.path.name}\n"
        for each in files
    ]
    return "".join(lines), 0


def _listing(text: str, word: str) -> tuple[str, int]:
    if not text:
        raise UsageError(f"no name contains {word!r}")
    return text, 0


# ---------------------------------------------------------------------------- colour

BOLD, DIM, RED, GREEN = "1", "2", "31", "32"
PAINT = (
    (r"^==.*$", BOLD),
    (r"(?:^ *|  )# .*$", DIM),
    (r"^-.*$", RED),
    (r"^\+.*$", GREEN),
)


def _has_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _painted(text: str) -> str:
    """The text for a terminal: headings, comments, and lines of a difference."""
    for pattern, colour in PAINT:
        text = re.sub(pattern, rf"\033[{colour}m\g<0>\033[0m", text, flags=re.MULTILINE)
    return text


# ---------------------------------------------------------------------------- options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"symdiff: {message}: see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "symdiff",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_show(commands)
    _add_check(commands)
    _add_export(commands)
    ops = _add_listing(commands, "ops", _ops, "the operations that symdiff knows, and their rules")
    ops.add_argument(
        "--coverage", action="store_true", help="what becomes of each function of NumPy's"
    )
    _add_listing(commands, "rules", _rules, "the rewrites, with how exact each is")
    kept = _command(commands, "cache", _cache, "what is kept on disk for later processes")
    kept.add_argument(
        "action", choices=("path", "list", "clear"),
        help="where it is, every file with the time of its last use, or remove all",
    )
    return parser


def _command(commands: Any, name: str, run: Any, about: str, epilog: str = "") -> Any:
    command = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=run)
    return command


def _add_target(command: Any) -> None:
    command.add_argument("target", metavar="TARGET", help="the function, see below")
    command.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="'x: f64[3]'",
        help="the type or the value of an argument; once for each",
    )
    command.add_argument("--wrt", metavar="W,b", help="the arguments to differentiate by")


def _add_show(commands: Any) -> None:
    about = "print the derivative of a function as NumPy source, or how it came about"
    command = _command(commands, "show", _show, about, f"{TARGETS}\n{SHOW_EXAMPLES}")
    _add_target(command)
    command.add_argument(
        "--mode", choices=tuple(MODES), help="what to make of it (default: grad, or the decorator)"
    )
    what = command.add_mutually_exclusive_group()
    names = tuple(stage.name for stage in STAGES)
    what.add_argument("--body", action="store_true", help="without imports and docstring")
    what.add_argument("--stage", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    what.add_argument("--all", action="store_true", help="every stage")
    what.add_argument(
        "--explain",
        action="store_true",
        help="the source line and the rewrites behind it all; with --target c what is not in C",
    )
    command.add_argument(
        "--target",
        choices=("numpy", "c"),
        default="numpy",
        dest="language",
        help="the language: NumPy (default), or the C that backend='c' runs",
    )
    command.add_argument(
        "--diff", action="store_true", help="what the stage, or every stage, changed"
    )


def _add_check(commands: Any) -> None:
    about = "compare the derivatives of a function with finite differences at a random point"
    command = _command(commands, "check", _check, about, TARGETS)
    _add_target(command)
    command.add_argument(
        "--order", type=_at_least(1), default=2, help="up to which order (default: 2)"
    )
    _add_point(command)


def _add_point(command: Any) -> None:
    """Options for the random arguments."""
    command.add_argument("--seed", type=_at_least(0), default=0, help="of the random point")
    command.add_argument(
        "--range",
        type=_interval,
        metavar="LOW,HIGH",
        help="of random numbers (default: the standard normal distribution)",
    )


def _add_export(commands: Any) -> None:
    about = "write a derivative as C, or as a NumPy module, that needs no symdiff"
    command = _command(commands, "export", _export, about, f"{TARGETS}\n{EXPORT_EXAMPLES}")
    _add_target(command)
    modes = [each for each in MODES if each != "jvp"]
    command.add_argument(
        "--mode", choices=modes, help="what to make of it (default: grad, or the decorator)"
    )
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder for it")
    command.add_argument(
        "--target", choices=("c", "py"), default="c", dest="language", help="default: c"
    )
    command.add_argument(
        "--blas", choices=("cblas", "none"), help="products by cblas_dgemm (default), or by loops"
    )
    command.add_argument("--name", help="of the function and its files")
    _add_point(command)


def _interval(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 0.1,1") from None
    if not (low <= high and math.isfinite(high - low)):
        raise argparse.ArgumentTypeError(f"{text!r} is no interval: the lower end comes first")
    return low, high


def _at_least(least: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` on."""

    def whole_number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return whole_number


def _add_listing(commands: Any, name: str, run: Any, about: str) -> Any:
    command = _command(commands, name, run, about)
    command.add_argument("word", nargs="?", default="", help="only names that contain this")
    return command
