"""Text of traced values: what a function prints, logs or warns of is said at each call.

`f"{x:.3f}"` gives text with a mark in it (`ops/printing.py`), which those calls read. In an error
the marks become the values of the call that is traced. Text that goes elsewhere is not known.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable
from typing import Any

from symdiff.errors import TraceError, word
from symdiff.frontend import context
from symdiff.frontend.replacements import REPLACEMENTS, instead_of
from symdiff.frontend.tracer import Tracer, decide, where
from symdiff.ir.node import Node, count, node
from symdiff.ops.effects import beginning
from symdiff.ops.foreign import literal_source
from symdiff.ops.primitive import Primitive
from symdiff.ops.printing import filled, mark, pieces, printing

_BUILTINS = vars(builtins)
_FIELD = re.compile(r"\{(?=\d+\})")
_LITERALS = (str, int, float, bool, complex, type(None))


def spoken(function: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> None:
    """A call of print, or of what logs or warns: made at each call of what is traced."""
    running = context.current()
    if running is None or not running.speaks:
        function(*args, **kwargs)
        return
    if running.flow.runs:
        raise context.NeedsValue("it prints")
    written = _Written(running)
    parts = [written.source(each) for each in args]
    parts += [f"{key}={written.keyword(key, each)}" for key, each in kwargs.items()]
    before = running.output or node(beginning, ())
    params = (("call", ", ".join(parts)), ("number", count()))
    running.output = node(printing(function, name), (before, *written.operands), params)
    place = context.user_place()
    if place is not None:
        running.places[running.output] = place


class _Written:
    """Arguments of a call as source, and the traced values in them."""

    def __init__(self, running: context.Context) -> None:
        self.operands: list[Node] = []
        self._texts = running.flow.texts

    def source(self, value: Any) -> str:
        """The source of a value, with marks for those that are traced."""
        if issubclass(type(value), Tracer):
            return self._operand(value)
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind in (list, tuple):
            parts = ", ".join(map(self.source, value))
            return f"[{parts}]" if kind is list else f"({parts}{',' * (len(value) == 1)})"
        if kind is dict:
            pairs = [f"{self.source(key)}: {self.source(each)}" for key, each in value.items()]
            return f"{{{', '.join(pairs)}}}"
        if kind in _LITERALS and value == value and abs(value or 0) != float("inf"):
            return repr(value)
        if kind is type:
            return self._class(value)
        return _escaped(literal_source(str(value)))

    def _class(self, value: type) -> str:
        """A category of warnings: one of Python's."""
        if _BUILTINS.get(value.__name__) is not value:
            what = f"the class {value.__name__} is passed to what prints, logs or warns"
            way_out = "Use a class of Python's own: UserWarning, RuntimeWarning."
            context.refuse(TraceError(word(what, where=where(), way_out=way_out)))
        return str(value.__name__)

    def keyword(self, key: str, value: Any) -> str:
        """The source of an argument with a name."""
        if key != "file" or value is None:
            return self.source(value)
        found = [name for name in ("stdout", "stderr") if value is getattr(sys, name)]
        if not found:
            what, way_out = "a file is written", "Return the text."
            context.refuse(TraceError(word(what, where=where(), way_out=way_out)))
        return f'__import__("sys").{found[0]}'

    def _operand(self, value: Tracer) -> str:
        self.operands.append(value.node)
        return mark(len(self.operands) - 1)

    def _text(self, text: str) -> str:
        first, *rest = pieces(text)
        if not rest:
            return _escaped(literal_source(first))
        out = _braces(first)
        for number, following in zip(rest[::2], rest[1::2], strict=True):
            value, spec = self._texts[int(number)].taken()
            out += "{" + self._operand(value) + _suffix(spec) + "}"
            out += _braces(following)
        quoted = repr(out) if '"' in out else '"' + repr(f"'{out}")[2:]
        return f"f{_unmarked(quoted)}"


def _braces(text: str) -> str:
    """Literal text in an f-string; a zero character for a brace that would look like a field."""
    text = _FIELD.sub("\0", text)
    return text.replace("{", "{{").replace("}", "}}")


def _unmarked(quoted: str) -> str:
    """repr() writes the characters of marks, and that for a brace, as escapes."""
    quoted = quoted.replace("\\ue000", "\ue000").replace("\\ue001", "\ue001")
    return quoted.replace("\\x00", "\\x7b")


def _escaped(literal: str) -> str:
    """Text without values: braces around digits would be taken for a field."""
    return _FIELD.sub(r"\\x7b", literal)


def _suffix(spec: str) -> str:
    return spec if spec in ("", "!r") else f":{spec}"


class Text:
    """The text of a traced value, wanted in a format."""

    def __init__(self, value: Tracer, spec: str) -> None:
        self.value = Tracer(value.node, value.is_array)
        self.spec = spec
        self.known = False  # whether it went where it is said

    def taken(self) -> tuple[Tracer, str]:
        """The value and the format, for what says it."""
        self.known = True
        return self.value, self.spec

    def now(self) -> str:
        """As it is in the call that is traced; its type where that is not known."""
        running = context.current()
        try:
            value = running.examples.of(self.value.node)  # type: ignore[union-attr]
        except KeyError:
            return repr(self.value)
        return repr(value) if self.spec == "!r" else format(value, self.spec)


def text_of(value: Tracer, spec: str) -> str:
    """What `f"{value:spec}"` gives, or `f"{value!r}"`."""
    running = context.current()
    if running is None:
        return f"<traced {value.node.type}>"
    if running.flow.runs:
        running.flow.check(False, "it makes text of a value")
    running.flow.texts.append(Text(value, spec))
    return mark(len(running.flow.texts) - 1)


def check(running: context.Context) -> None:
    """Raises TraceError for text of a traced value that is used in a way that is not known.

    Where Python ints and the like make it, these become known instead.
    """
    for each in running.flow.texts:
        if not each.known:
            decide(each.value.node)
            context.refuse(
                TraceError(
                    word(
                        "the text of a traced value is used, and it is another one at each call",
                        depends_on=f"it is the text of {each.value!r}",
                        way_out="Print it, log it, or return the value and make text of it then.",
                    )
                )
            )


def failed(running: context.Context, error: Exception) -> None:
    """An error of the user's leaves the trace: it says values, after what was said before it."""
    for each in running.flow.texts:
        if not each.known and _holds(error, running.flow.texts.index(each)):
            each.known = True
    with context.tracing(running):
        for each in running.flow.texts:
            if not each.known:
                decide(each.value.node)
        error.args = tuple([_now(running, each) for each in error.args])
        _say(running)


def _holds(error: Exception, number: int) -> bool:
    return any(isinstance(each, str) and mark(number) in each for each in error.args) and not (
        isinstance(error, LookupError)
    )


def _now(running: context.Context, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return filled(value, lambda number: running.flow.texts[number].now())


def _say(running: context.Context) -> None:
    """What would be said at this call."""
    each, calls = running.output, []
    while each is not None and each.args:
        calls.append(each)
        each = each.args[0]
    for each in reversed(calls):
        try:
            values = [running.examples.of(arg) for arg in each.args[1:]]
        except KeyError:
            continue
        names = {f"v{i}": value for i, value in enumerate(values)}
        arguments = filled(each.param("call"), lambda number: f"v{number}")
        assert isinstance(each.op, Primitive)
        function = dict(each.op.objects or (("", print),)).popitem()[1]
        eval(f"_f({arguments})", {"_f": function, **names})


def _says(function: Callable[..., Any]) -> None:
    def say(*args: Any, **kwargs: Any) -> None:
        spoken(function, "", *args, **kwargs)

    instead_of(function)(say)


_LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "log")


def speakers() -> None:
    """Have the functions of `warnings` and `logging` replaced, where these are loaded."""
    for module, names in (("warnings", ("warn",)), ("logging", _LEVELS)):
        for name in names if module in sys.modules else ():
            function = getattr(sys.modules[module], name)
            if function not in REPLACEMENTS:
                _says(function)
    if "logging" in sys.modules:
        get = sys.modules["logging"].getLogger
        REPLACEMENTS[get] = lambda name=None: Logger(get(name))


class Logger:
    """A logger of Python's, which says at each call what it is told."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._logger, name)
        if name not in _LEVELS:
            return found

        def say(*args: Any, **kwargs: Any) -> None:
            spoken(found, "", *args, **kwargs)

        return say
