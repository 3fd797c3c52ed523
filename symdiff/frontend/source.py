"""Source: the control flow of a user's function, rewritten so that it can be captured.

The text of a function is found again from its code, and verified by compiling it. `if`, `for`,
`while`, conditional expressions, `and`, `or`, `not` and chained comparisons are handed to the hooks
of `capture`; everything else stays as it is, with its line and columns. A function without control
flow, or whose text is not found, runs as it was compiled.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

from symdiff.frontend.source_map import parts_of, walk

HOOKS = "__symdiff__"  # the global through which rewritten code finds `capture`

_FUTURES = 0x1FF0000  # the flags of `from __future__ import …` in code objects
_GENERATOR = 0x20 | 0x80 | 0x200  # generators and coroutines
_MAX_BLOCKS = 18  # Python allows 20 nested blocks

Function = ast.FunctionDef | ast.Lambda


def capturable(code: CodeType) -> CodeType:
    """The code with its control flow handed to hooks; itself where its text is not found."""
    return _capturable(code, code.co_filename)


@lru_cache(maxsize=1024)
def _capturable(code: CodeType, file: str) -> CodeType:
    """The same; code of two files may be equal."""
    if code.co_flags & _GENERATOR:
        return code
    found = _find(code)
    if found is None:
        return code
    tree, original, path, flags = found
    definition = original
    for flat in (False, True):
        try:
            rewritten = _Rewriter(flat).function(original)
            _exchange(tree, definition, rewritten)
            definition = rewritten
            made = compile(tree, file, "exec", flags, dont_inherit=True)
        except (SyntaxError, _TooDeepError):
            continue
        return _at(made, path) or code
    return code


# ---------------------------------------------------------------------------- finding the text


def _find(code: CodeType) -> tuple[ast.Module, Function, tuple[int, ...], int] | None:
    """The tree that holds the definition, the definition, and where its code is in the tree's."""
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    for text in _texts(lines, code.co_firstlineno):
        flags = code.co_flags & _FUTURES
        try:
            tree = ast.parse(text)
            whole = compile(text, code.co_filename, "exec", flags, dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        path = next(_paths(whole, code), None)
        if path is not None:
            definition = _definition(tree, code)
            return None if definition is None else (tree, definition, path, flags)
    return None


def _texts(lines: Sequence[str], line: int) -> Iterator[str]:
    """The statement around a line, at its place in the file behind its imports; the whole file.

    How Python compiles `np.exp(x)` depends on whether the module imports `np`.
    """
    if not 0 < line <= len(lines):
        return
    first = line - 1
    while first and not _begins(lines[first]):
        first -= 1
    last = first + 1
    while last < len(lines) and (not _begins(lines[last]) or lines[last - 1].startswith("@")):
        last += 1
    yield "".join([*_imports(lines[:first]), *lines[first:last]])
    yield "".join(lines)


def _imports(lines: Sequence[str]) -> list[str]:
    """The lines of a module's imports, and empty lines for all others."""
    found = ["\n"] * len(lines)
    for i in [i for i, line in enumerate(lines) if line.startswith(("import ", "from "))]:
        while True:
            found[i] = lines[i]
            i += 1
            if i == len(lines) or _begins(lines[i]):
                break
    return found


def _begins(line: str) -> bool:
    """Whether a statement of a module may begin in this line."""
    return line[:1] not in (" ", "\t", "\n", "\r", "#", ")", "]", "}", "")


def _paths(outer: CodeType, code: CodeType) -> Iterator[tuple[int, ...]]:
    """Where equal code is inside of other code: places among the code objects there."""
    inner = [each for each in outer.co_consts if isinstance(each, CodeType)]
    for i, each in enumerate(inner):
        if each == code and list(each.co_positions()) == list(code.co_positions()):
            yield (i,)
        for rest in _paths(each, code):
            yield (i, *rest)


def _at(code: CodeType, path: tuple[int, ...]) -> CodeType | None:
    for i in path:
        inner = [each for each in code.co_consts if isinstance(each, CodeType)]
        if i >= len(inner):
            return None
        code = inner[i]
    return code


def _definition(tree: ast.Module, code: CodeType) -> Function | None:
    """The definition in the tree that the code is of."""
    closed = () if code.co_name == "<lambda>" else (ast.expr,)
    found = [each for each in walk(tree, closed=closed) if _may_be(each, code)]
    if len(found) > 1:
        spans = [each for each in code.co_positions() if None not in each and each[2] != each[3]]
        found = [each for each in found if _holds(each, spans)]
    return min(found, key=_extent, default=None)


def _extent(each: Any) -> tuple[int, int]:
    return each.end_lineno - each.lineno, each.end_col_offset - each.col_offset


def _may_be(each: ast.AST, code: CodeType) -> bool:
    if not isinstance(each, (ast.Lambda, ast.FunctionDef)):
        return False
    if isinstance(each, ast.Lambda):
        return code.co_name == "<lambda>" and each.lineno == code.co_firstlineno
    first = each.decorator_list[0].lineno if each.decorator_list else each.lineno
    return each.name == code.co_name and first == code.co_firstlineno


def _holds(each: Any, spans: Sequence[Any]) -> bool:
    begin, end = (each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)
    return all(begin <= (a, c) and (b, d) <= end for a, b, c, d in spans)


def _exchange(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    """Put a part of a tree in the place of another one."""
    for each in walk(tree):
        for name, value in vars(each).items():
            if value is old:
                setattr(each, name, new)
            elif isinstance(value, list):
                value[:] = [new if part is old else part for part in value]


def _copied(each: ast.AST, **changes: Any) -> ast.AST:
    """A copy of one node, which holds lists of its own."""
    made = type(each)()
    for name, value in (vars(each) | changes).items():
        setattr(made, name, list(value) if isinstance(value, list) else value)
    return made


# ---------------------------------------------------------------------------- what leaves a block

_LEAVES = {ast.Return: "return", ast.Break: "break", ast.Continue: "continue"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LOOPS = (ast.For, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_UNTHUNKED = {"super", "locals", "globals", "vars", "eval", "exec", "dir"}  # ask for their frame


class _TooDeepError(Exception):
    """More nested blocks than Python allows."""


def _declared(nodes: Sequence[ast.AST], kind: type[ast.Nonlocal | ast.Global]) -> set[str]:
    return {name for each in nodes if isinstance(each, kind) for name in each.names}


def _walk(*roots: ast.AST) -> list[ast.AST]:
    """The nodes of one scope: functions and classes defined there are not entered."""
    return walk(*roots, closed=_SCOPES)


def _leaves(statements: Sequence[ast.stmt]) -> set[str]:
    """How control may leave a block: return, and break and continue of a loop around it."""
    found: set[str] = set()
    for each in statements:
        if type(each) in _LEAVES:
            found.add(_LEAVES[type(each)])
        elif isinstance(each, (*_LOOPS, ast.AsyncFor)):
            found |= _leaves(each.body) & {"return"} | _leaves(each.orelse)
        elif not isinstance(each, _SCOPES):
            found |= _leaves(_statements_in(each))
    return found


def _statements_in(each: ast.stmt) -> list[ast.stmt]:
    inner: list[ast.stmt] = []
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        for part in getattr(each, name, ()):
            inner += [part] if isinstance(part, ast.stmt) else part.body
    return inner


def _always_leaves(statements: Sequence[ast.stmt]) -> bool:
    """Whether control never comes to the end of a block."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return _always_leaves(last.body) and _always_leaves(last.orelse)
    return type(last) in _LEAVES or isinstance(last, ast.Raise)


def _stays(each: ast.If | ast.For | ast.While) -> bool:
    """Whether a statement cannot be handed to hooks: it must be left, or it unbinds names."""
    for part in _walk(each):
        if isinstance(part, (ast.Delete, ast.Global, ast.Yield, ast.YieldFrom, ast.Await)):
            return True
        if isinstance(part, (ast.Try, ast.TryStar, ast.With, ast.Match)) and _leaves([part]):
            return True
        if isinstance(part, _LOOPS) and _leaves(part.orelse):  # of what is around the loop
            return True
    return False


def _assigned(*roots: ast.AST) -> list[str]:
    """The names that are bound in a scope, in order."""
    found: dict[str, None] = {}
    nodes = _walk(*roots)
    for each in nodes:
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            found[each.id] = None
        elif isinstance(each, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            found[each.name] = None
        elif isinstance(each, ast.alias):
            found[(each.asname or each.name).partition(".")[0]] = None
        elif isinstance(each, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and each.name:
            found[each.name] = None
    own = {name for each in nodes if isinstance(each, _COMPREHENSIONS)
           for part in each.generators for name in _targets(part.target)}
    outside = {name for each in nodes if not isinstance(each, ast.comprehension)
               for name in _bound_by(each)}
    return sorted(name for name in found if name not in own or name in outside)


def _targets(target: ast.AST) -> list[str]:
    return [each.id for each in walk(target) if isinstance(each, ast.Name)]


def _bound_by(each: ast.AST) -> list[str]:
    """The names that one statement binds itself."""
    if isinstance(each, ast.Assign):
        return [name for target in each.targets for name in _stored(target)]
    if isinstance(each, (ast.AugAssign, ast.AnnAssign, ast.For, ast.NamedExpr)):
        return _stored(each.target)
    if isinstance(each, ast.withitem) and each.optional_vars is not None:
        return _stored(each.optional_vars)
    return []


def _stored(target: ast.AST) -> list[str]:
    return [
        each.id
        for each in walk(target)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    ]


def _loads(nodes: Sequence[ast.AST]) -> dict[str, int]:
    """How often each name is read in nodes."""
    found: dict[str, int] = {}
    for each in nodes:
        names: Sequence[str] = ()
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
            names = (each.id,)
        elif isinstance(each, ast.AugAssign):
            names = _targets(each.target)
        for name in names:
            found[name] = found.get(name, 0) + 1
    return found


# ---------------------------------------------------------------------------- rewriting


class _Block:
    """Where statements stand: what `return`, `break` and `continue` become there."""

    def __init__(
        self,
        depth: int,
        returns: str = "",
        done: str = "",
        broken: str = "",
        skipped: str = "",
        open: bool = True,
        last: frozenset[str] = frozenset(),
    ) -> None:
        self.depth = depth
        self.returns = returns  # the name that takes a result; "": a return is one
        self.done = done  # the flag that says that there is a result
        self.broken = broken  # the flag that ends the loop
        self.skipped = skipped  # the flag that ends its turn
        self.open = open  # whether statements may be left at all
        self.last = last  # what happens at the end of the block anyway: return, continue

    def but(self, **changes: Any) -> _Block:
        made = _Block(**(vars(self) | changes))
        if made.depth > _MAX_BLOCKS:
            raise _TooDeepError
        return made


    def known(self, names: Sequence[str]) -> list[str]:
        """The names without the hooks' own, but for the flags of this block."""
        own = (self.returns, self.done, self.broken, self.skipped)
        return [name for name in names if not name.startswith("$") or name in own]


class _Rewriter:
    """Rewrites one function. `flat`: early returns become flags, which nest less deeply."""

    def __init__(self, flat: bool) -> None:
        self.flat = flat
        self.count = 0
        self.read: dict[str, int] = {}
        self.shared: set[str] = set()  # names of functions around
        self.globals: set[str] = set()  # names of the module that are bound
        self.nested = 0  # loops around
        self.appended: tuple[str, ...] = ()  # lists that the loop around only appends to
        self._expressions = _Expressions(self)

    def function(self, definition: Function) -> Function:
        made = _copied(definition)
        assert isinstance(made, (ast.FunctionDef, ast.Lambda))
        outer = self.read, self.shared, self.globals, self.nested
        if isinstance(made, ast.Lambda):
            made.body = self.expression(definition.body)  # type: ignore[arg-type]
            return made
        every = walk(definition)
        nested = any(isinstance(each, _SCOPES) for each in every[1:])
        nodes = _walk(definition) if nested else every
        if not any(isinstance(each, (ast.Yield, ast.YieldFrom)) for each in nodes):
            self.read = _loads(every)
            self.nested = 0
            self.shared = _declared(nodes, ast.Nonlocal)
            self.globals = _declared(nodes, ast.Global)
            made.body = self._body(made)
        self.read, self.shared, self.globals, self.nested = outer
        return made

    def _body(self, definition: ast.FunctionDef) -> list[ast.stmt]:
        body = definition.body
        early = any(_leaves([each]) for each in body[:-1] if not isinstance(each, ast.Return))
        last = body[-1]
        early = early or (isinstance(last, (ast.If, *_LOOPS)) and bool(_leaves([last])))
        if not early or any(
            isinstance(each, (ast.Try, ast.TryStar, ast.With, ast.Match)) and _leaves([each])
            for each in _walk(definition)
        ):
            return self.block(body, _Block(0, open=not early))
        block = _Block(0, returns="$value", done="$done", last=frozenset({"return"}))
        begin, end = body[0], _last_return(body) or body[-1]
        if not _always_leaves(body):
            body = [*body, _at_place(ast.Return(ast.Constant(None)), body[-1])]
        made = self.block(body, block)
        return [
            _at_place(_assign("$done", ast.Constant(False)), begin),
            *made,
            _at_place(ast.Return(_name("$value")), end),
        ]

    # ------------------------------------------------------------------ statements

    def block(self, statements: Sequence[ast.stmt], block: _Block) -> list[ast.stmt]:
        """The statements of a block, in other words."""
        made: list[ast.stmt] = []
        for i, each in enumerate(statements):
            rest = statements[i + 1 :]
            if type(each) in _LEAVES:
                return [*made, *self._leave(each, block)]
            if isinstance(each, ast.If):
                ended = self._if(each, rest, block, made)
            elif isinstance(each, _LOOPS):
                ended = self._loop(each, rest, block, made)
            else:
                made.append(self._other(each, block))
                ended = False
            if ended:
                return made
        return made

    def _leave(self, each: ast.stmt, block: _Block) -> list[ast.stmt]:
        if isinstance(each, ast.Return):
            value = ast.Constant(None) if each.value is None else self.expression(each.value)
            if not block.returns:
                return [_at_place(ast.Return(None if each.value is None else value), each)]
            made = [_assign(block.returns, value)]
            if "return" not in block.last:
                made.append(_assign(block.done, ast.Constant(True)))
            return [_at_place(part, each) for part in made]
        flag = block.broken if isinstance(each, ast.Break) else block.skipped
        if not flag:
            return [each]
        if isinstance(each, ast.Continue) and "continue" in block.last:
            return []
        return [_at_place(_assign(flag, ast.Constant(True)), each)]

    def _if(
        self, each: ast.If, rest: Sequence[ast.stmt], block: _Block, made: list[ast.stmt]
    ) -> bool:
        """Adds a branch, and what follows where a side of it leaves; says if that was done."""
        leaves = _leaves([each])
        test = self.expression(each.test)
        if self._stays(each) or (leaves and not block.open):
            inner = block if not leaves else block.but(open=False, **_RAW)
            body, other = self.block(each.body, inner), self.block(each.orelse, inner)
            made.append(_at_place(ast.If(test, body, other), each))
            return False
        body, other = each.body, each.orelse
        if leaves and not self.flat and rest:
            if _always_leaves(body):
                other, rest = [*other, *rest], []
            elif _always_leaves(other):
                body, rest = [*body, *rest], []
        last = block.last if not rest else frozenset[str]()
        inner = block.but(depth=block.depth + 2, last=last)
        sides = self.block(body, inner), self.block(other, inner)
        made += self._hooked_if(each, test, *sides, block)
        if leaves and rest:
            made += self._unless(self._flags(leaves, block), rest, each, block)
        return bool(leaves)

    def _stays(self, each: ast.If | ast.For | ast.While) -> bool:
        return _stays(each) or bool(self.globals and self.globals.intersection(_assigned(each)))

    def _flags(self, leaves: set[str], block: _Block) -> list[str]:
        flags = {"return": block.done, "break": block.broken, "continue": block.skipped}
        return sorted(flags[each] for each in leaves)

    def _unless(
        self, flags: Sequence[str], rest: Sequence[ast.stmt], each: ast.stmt, block: _Block
    ) -> list[ast.stmt]:
        """What is done unless one of the flags is up."""
        test = _hook("unless", *[_name(flag) for flag in flags])
        body = self.block(rest, block.but(depth=block.depth + 2))
        return self._hooked_if(each, _at_place(test, each), body, [], block)

    def _hooked_if(
        self,
        each: ast.stmt,
        test: ast.expr,
        body: list[ast.stmt],
        other: list[ast.stmt],
        block: _Block,
    ) -> list[ast.stmt]:
        self.count += 1
        state = f"${self.count}"
        names = block.known(_assigned(*body, *other))
        kept = [name for name in names if self._is_read(name, None)]
        site = _site(each, names, kept)
        place = getattr(each, "test", each)
        sides = ast.If(_name(f"{state}s"), body or [ast.Pass()], other)
        turn = [_attempt([sides, ast.Expr(_method(state, "leave"))], state)]
        if names:
            turn.append(ast.If(_attribute(state, "binds"), _binding(state, names), []))
        return [
            _at_place(_assign(state, _hook("branch", test, site)), place),
            _at_place(ast.For(_name(f"{state}s", True), _name(state), turn, []), place),
        ]

    def _loop(
        self,
        each: ast.For | ast.While,
        rest: Sequence[ast.stmt],
        block: _Block,
        made: list[ast.stmt],
    ) -> bool:
        """Adds a loop, and what follows where it may return; says if that was done."""
        leaves, own = _leaves([each]), _leaves(each.body)
        if self._stays(each) or (leaves and not block.open):
            inner = block.but(open=False, **_RAW)
            part = _copied(each)
            assert isinstance(part, _LOOPS)
            if isinstance(part, ast.While):
                part.test = self.expression(part.test)
            else:
                part.iter = self.expression(part.iter)
            part.body, part.orelse = self.block(each.body, inner), self.block(each.orelse, inner)
            made.append(part)
            return False
        self.count += 1
        state = f"${self.count}"
        broken = f"{state}b" if "break" in own else ""
        skipped = f"{state}c" if "continue" in own else ""
        done = block.done if "return" in own else ""
        inner = block.but(
            depth=block.depth + 2,
            broken=broken,
            skipped=skipped,
            open=True,
            last=frozenset({"continue"}),
        )
        self.nested += 1
        outer, self.appended = self.appended, self._only_appended(each)
        body = self.block(each.body, inner)
        appended, self.appended = self.appended, outer
        self.nested -= 1
        if skipped:
            body.insert(0, _at_place(_assign(skipped, ast.Constant(False)), each))
        stops = tuple(filter(None, (broken, done)))
        made += self._hooked_loop(each, body, state, stops, appended, block)
        if each.orelse:
            flags = [flag for flag in (broken, done) if flag]
            if flags:
                made += self._unless(flags, each.orelse, each, block)
            else:
                made += self.block(each.orelse, block)
        if leaves and rest:
            made += self._unless([block.done], rest, each, block)
        return bool(leaves)

    def _hooked_loop(
        self,
        each: ast.For | ast.While,
        body: list[ast.stmt],
        state: str,
        stops: tuple[str, ...],
        appended: tuple[str, ...],
        block: _Block,
    ) -> list[ast.stmt]:
        test = [each.test] if isinstance(each, ast.While) else []
        names = [name for name in block.known(_assigned(*body, *test)) if name not in stops]
        targets = _targets(each.target) if isinstance(each, ast.For) else []
        names += [name for name in targets if name not in names]
        inside = _loads(walk(each))
        kept = [name for name in names if self._is_read(name, each, inside.get(name, 0))]
        site = _site(each, names, kept, stops, targets, appended)
        binding = _binding(state, [*names, *stops])
        before = [name for name in (*names, *stops) if name not in targets]
        leave = ast.If(_method(state, "leave"), [ast.Break()], [])
        if isinstance(each, ast.While):
            asked = _method(state, "test", self.expression(each.test))
            body = [ast.If(_negated(_at_place(asked, each.test)), [ast.Break()], []), *body]
            target: ast.expr = _name(f"{state}k", True)
            begun = _hook("whiles", site)
        else:
            over = self._over(each.iter)
            if isinstance(over, ast.Call) and self._reads_no_key(each):
                over = _at_place(_hook("items", over.func.value), over)  # type: ignore[attr-defined]
            target, begun = each.target, _hook("loop", over, site)
        turn: list[ast.stmt] = [
            ast.If(_method(state, "enter"), _binding(state, before) or [ast.Pass()], []),
            _attempt([*body, leave], state),
        ]
        place = each.test if isinstance(each, ast.While) else each.iter
        raised = [_at_place(_assign(flag, ast.Constant(False)), place) for flag in stops
                  if flag != "$done"]
        result = [ast.If(_attribute(state, "binds"), binding, [])] if binding else []
        return [
            *raised,
            _at_place(_assign(state, begun), place),
            _at_place(ast.For(target, _name(state), turn, []), each if body else place),
            *[_at_place(part, place) for part in result],
        ]

    def _reads_no_key(self, loop: ast.For) -> bool:
        """Whether it is `for key, value in d.items()`, of a key that is read nowhere."""
        source, target = loop.iter, loop.target
        if not isinstance(source, ast.Call) or source.args or source.keywords:
            return False
        if not isinstance(source.func, ast.Attribute) or source.func.attr != "items":
            return False
        if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
            return False
        (key, _) = target.elts
        return (
            isinstance(key, ast.Name)
            and not self.read.get(key.id)
            and key.id not in self.shared | self.globals
        )

    def _over(self, source: ast.expr) -> ast.expr:
        """What a loop goes over: range, zip, enumerate and reversed are not called yet."""
        kinds = ("range", "zip", "enumerate", "reversed")
        called = isinstance(source, ast.Call) and isinstance(source.func, ast.Name)
        if not called or source.func.id not in kinds:  # type: ignore[attr-defined]
            return self.expression(source)
        assert isinstance(source, ast.Call)
        strict = {each.arg: each.value for each in source.keywords}.get("strict")
        if isinstance(strict, ast.Constant):
            made = _hook("over" if not strict.value else "equal", *map(self._over, source.args))
            made.args.insert(0, source.func)  # type: ignore[attr-defined]
            _at_place(made, source)
            return made
        named = [each.value for each in source.keywords if each.arg == "start"]
        if len(named) < len(source.keywords) or (named and len(source.args) != 1):
            return self.expression(source)
        if any(isinstance(each, ast.Starred) for each in source.args):
            return self.expression(source)
        made = _hook("over", source.func, *map(self._over, source.args), *map(self._over, named))
        _at_place(made, source)
        return made

    def _only_appended(self, loop: ast.AST) -> tuple[str, ...]:
        """The lists that a loop appends to and does nothing else with."""
        nodes = walk(loop)
        appended = list(filter(None, map(_appended_to, nodes)))
        met = [each.id for each in nodes if isinstance(each, ast.Name)] if appended else []
        names = {name for name in appended if met.count(name) == appended.count(name)}
        return tuple(sorted(names - self.shared - self.globals))

    def _is_read(self, name: str, within: ast.AST | None, inside: int = 0) -> bool:
        """Whether a name may be read after a statement, in which it is read so often."""
        if name.startswith("$") or name in self.shared:
            return True
        if within is None:
            return self.read.get(name, 0) > 0
        if self.read.get(name, 0) > inside:
            return True
        return self.nested > 0 and not _begins_with(within, name)

    def _other(self, each: ast.stmt, block: _Block) -> ast.stmt:
        """A statement that is neither a loop nor a branch."""
        if isinstance(each, ast.FunctionDef):
            return self.function(each)  # type: ignore[return-value]
        if isinstance(each, (ast.ClassDef, ast.AsyncFunctionDef, ast.Assert, ast.AsyncFor)):
            return each
        name = _appended_to(each)
        if name in self.appended:
            value = self.expression(each.value.args[0])  # type: ignore[attr-defined]
            hooked = ast.Expr(_hook("append", _name(name), value, ast.Constant(name)))
            return _at_place(hooked, each)  # type: ignore[no-any-return]
        inner = block.but(depth=block.depth + 1, open=False, **_RAW)
        changes: dict[str, Any] = {}
        for name, value in ast.iter_fields(each):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                changes[name] = self.block(value, inner)
            elif isinstance(value, list):
                changes[name] = [self._part(part, inner) for part in value]
            elif isinstance(value, ast.expr):
                changes[name] = self.expression(value)
        made = _copied(each, **changes)
        assert isinstance(made, ast.stmt)
        return made

    def _part(self, part: Any, block: _Block) -> Any:
        if isinstance(part, ast.expr):
            return self.expression(part)
        if isinstance(part, (ast.ExceptHandler, ast.match_case)):
            made = _copied(part)
            made.body = self.block(part.body, block)  # type: ignore[attr-defined]
            if isinstance(part, ast.ExceptHandler) and part.type is None:
                made.type = _at_place(_name("Exception"), part)  # type: ignore[attr-defined]
            return made
        return part

    # ------------------------------------------------------------------ expressions

    def expression(self, each: ast.expr) -> ast.expr:
        """An expression whose decisions are taken by hooks."""
        made = self._expressions.visit(each)
        assert isinstance(made, ast.expr)
        return made


class _Expressions:
    """Conditional expressions, `and`, `or`, `not`, comparisons and elements, handed to hooks."""

    def __init__(self, rewriter: _Rewriter) -> None:
        self.rewriter = rewriter

    def visit(self, each: Any) -> Any:
        """What stands for an expression, or a part of one: itself where it decides nothing."""
        if isinstance(each, ast.Lambda):
            return self.rewriter.function(each)
        if isinstance(each, _SIMPLE) or not isinstance(each, ast.AST):
            return each
        made = self._with_parts(each)
        if not self._is_rewritten(each):
            return made
        if not isinstance(made, (ast.UnaryOp, ast.Subscript)) and not _can_wait(each):
            return made
        found = self._handed_over(made)
        return made if found is None else _at_place(found, each)

    def _with_parts(self, each: ast.AST) -> ast.AST:
        changes: dict[str, Any] = {}
        for name, value in vars(each).items():
            if isinstance(value, list):
                parts = [self.visit(part) for part in value]
                if any(new is not old for new, old in zip(parts, value, strict=True)):
                    changes[name] = parts
            elif isinstance(value, ast.AST):
                part = self.visit(value)
                if part is not value:
                    changes[name] = part
        return _copied(each, **changes) if changes else each

    def _is_rewritten(self, each: ast.AST) -> bool:
        if isinstance(each, ast.Subscript):  # of a list, perhaps, by the index of a loop
            read = isinstance(each.ctx, ast.Load) and self.rewriter.nested > 0
            return read and (isinstance(each.slice, (ast.Name, ast.BinOp)) or _is_plain(each.slice))
        return isinstance(each, _DECIDING)

    def _handed_over(self, each: Any) -> ast.expr | None:
        if isinstance(each, ast.IfExp):
            site = _site(each, [], [])
            return _hook("either", each.test, _later(each.body), _later(each.orelse), site)
        if isinstance(each, ast.BoolOp):
            name = "both" if isinstance(each.op, ast.And) else "any_of"
            first, *rest = each.values
            return _hook(name, first, *map(_later, rest))
        if isinstance(each, ast.UnaryOp):
            return _hook("negate", each.operand) if isinstance(each.op, ast.Not) else None
        if isinstance(each, ast.Compare) and len(each.ops) > 1:
            names = tuple(type(op).__name__ for op in each.ops)
            first, *rest = each.comparators
            later = [_later(part) for part in rest]
            return _hook("chain", _constant(names), each.left, first, *later)
        if isinstance(each, ast.Subscript):
            if isinstance(each.slice, ast.JoinedStr):
                parts: list[Any] = list(each.slice.values)
                found = [part if isinstance(part, ast.Constant) else part.value for part in parts]
                return _hook("entry", each.value, *found)
            return _hook("part", each.value, each.slice)
        if isinstance(each, ast.Compare) and isinstance(each.ops[0], (ast.Is, ast.IsNot)):
            (right,) = each.comparators
            if not isinstance(right, ast.Constant) and not isinstance(each.left, ast.Constant):
                name = "same" if isinstance(each.ops[0], ast.Is) else "other"
                return _hook(name, each.left, right)
        return None


def _is_plain(each: ast.AST) -> bool:
    """Whether it is f"…" without formats."""
    fields = [part for part in getattr(each, "values", ()) if isinstance(part, ast.FormattedValue)]
    return isinstance(each, ast.JoinedStr) and all(
        part.conversion == -1 and part.format_spec is None for part in fields
    )


_DECIDING = (ast.IfExp, ast.BoolOp, ast.UnaryOp, ast.Compare)
_SIMPLE = (ast.Name, ast.Constant, ast.expr_context, ast.operator, *_COMPREHENSIONS)


def _can_wait(each: ast.AST) -> bool:
    """Whether parts of an expression mean the same in a function of their own."""
    for part in walk(each):
        if isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(part, ast.Name) and part.id in _UNTHUNKED:
            return False
    return True


# ---------------------------------------------------------------------------- pieces of code

_RAW: dict[str, Any] = {
    "returns": "", "done": "", "broken": "", "skipped": "", "last": frozenset()
}  # fmt: skip


def _begins_with(loop: ast.AST, name: str) -> bool:
    """Whether each turn of a loop binds the name before it does anything else with it."""
    if isinstance(loop, ast.For) and name in _targets(loop.target):
        return True
    for each in getattr(loop, "body", ()):
        if isinstance(each, ast.Assign) and name in _bound_by(each):
            return name not in _loads(walk(each.value))
        if name in _loads(walk(each)):
            return False
    return False


def _appended_to(each: ast.AST) -> str:
    """The name in a statement `name.append(value)`; "" of any other."""
    call = each.value if isinstance(each, ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
        return ""
    named = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    if not named or isinstance(call.args[0], ast.Starred) or call.func.attr != "append":  # type: ignore[attr-defined]
        return ""
    return call.func.value.id  # type: ignore[attr-defined,no-any-return]


def _last_return(body: Sequence[ast.stmt]) -> ast.stmt | None:
    return next((each for each in reversed(body) if isinstance(each, ast.Return)), None)


def _name(name: str, store: bool = False) -> ast.Name:
    return ast.Name(name, ast.Store() if store else ast.Load())


def _assign(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([_name(name, store=True)], value)


def _attribute(state: str, name: str) -> ast.expr:
    return ast.Attribute(_name(state), name, ast.Load())


def _method(state: str, name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(_attribute(state, name), list(args), [])


def _hook(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(_attribute(HOOKS, name), list(args), [])


def _later(value: ast.expr) -> ast.expr:
    """What is computed when it is asked for."""
    arguments = ast.arguments([], [], None, [], [], None, [])
    made = ast.Lambda(arguments, value)
    _at_place(made, value)
    return made


def _negated(value: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), value)


def _attempt(body: list[ast.stmt], state: str) -> ast.stmt:
    """The body, whose errors the hook may take for a reason to go another way."""
    again = ast.If(_method(state, "failed"), [ast.Raise(None, None)], [])
    return ast.Try(body, [ast.ExceptHandler(_attribute(HOOKS, "anything"), None, [again])], [], [])


def _binding(state: str, names: Sequence[str]) -> list[ast.stmt]:
    """Takes names from a hook; one that is not bound is unbound."""
    if not names:
        return []
    made: list[ast.stmt] = []
    for name in names:
        found = ast.Subscript(_name(state), ast.Constant(name), ast.Load())
        absent = ast.Compare(_name(name), [ast.Is()], [_attribute(state, "unbound")])
        made.append(_assign(name, found))
        made.append(ast.If(absent, [ast.Delete([ast.Name(name, ast.Del())])], []))
    return made


def _site(
    each: ast.AST,
    names: Sequence[str],
    kept: Sequence[str],
    stops: Sequence[str] = (),
    targets: Sequence[str] = (),
    appended: Sequence[str] = (),
) -> ast.expr:
    """What a hook knows of a statement: its place, the names it binds, those read afterwards."""
    place = (each.lineno, each.col_offset)  # type: ignore[attr-defined]
    whole = (tuple(names), tuple(kept), tuple(stops), tuple(targets), tuple(appended))
    return _constant((place, *whole))


def _constant(value: tuple[Any, ...]) -> ast.expr:
    return ast.Constant(value)  # type: ignore[arg-type]  # of constants


def _at_place(made: Any, place: ast.AST) -> Any:
    """New code at the place of old code."""
    waiting = [made]
    while waiting:
        each = waiting.pop()
        if each._attributes and not hasattr(each, "lineno"):
            each.lineno, each.col_offset = place.lineno, place.col_offset  # type: ignore[attr-defined]
            each.end_lineno, each.end_col_offset = place.end_lineno, place.end_col_offset  # type: ignore[attr-defined]
        waiting += parts_of(each)
    return made
