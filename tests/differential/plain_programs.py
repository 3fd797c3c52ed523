"""Random programs in plain Python: stores, views, lists, objects, loops and branches in each other.

A program is made from templates. In these {vector}, {number}, {test}, {row} and {column} are
expressions, {array} and {scalar} variables to bind, {new} a variable that nobody else has.
"""

import importlib.util
import random
import re
from pathlib import Path

HEAD = '''
import numpy as np

HIDDEN = np.array([0.3, -0.7, 1.1])


def changes(v, w):
    v[0] += np.sin(w[1])
    return v * 0.5


def returns_early(v, s):
    if v[0] > s:
        return v * 1.1
    for k in range(5):
        s = s * 0.9 + v[k % 3] * 0.1
        if s > 1.5:
            return v + s
    return v - s


def generated(v, n):
    for k in range(n):
        yield v * (k + 0.5)


class Box:
    def __init__(self):
        self.count, self.v, self.history = 0, np.zeros(3), []

    def push(self, v):
        self.count += 1
        self.v = self.v * 0.5 + v
        self.history.append(v)


def f(x, rows):
    a, b, c = x * 1.0, rows[0] * 0.7, x * rows[1]
    A, B = rows * 0.5, np.zeros((4, 3))
    s, t = x[0] * 0.5, 0.3
    L, N, D, box = [a, b], [[a, b], [c, x * 2]], {"p": c}, Box()
'''
TAIL = """
    r = np.sum(a * b) + np.sum(np.cos(c)) + np.sum(A * A * 0.3) + np.sum(np.sin(B)) + s * t
    r = r + sum(np.sum(q * 0.1) for q in L) + np.sum(N[0][0] * N[1][1] * 0.1)
    r = r + np.sum(np.tanh(N[0][1] - N[1][0])) + np.sum(D["p"] * box.v) + box.count
    return r + sum(np.sum(np.cos(h)) for h in box.history[-3:])
"""
LEAVES = {"vector": ("{array}", "{array}", "x", "A[{row}]", "B[1]"), "number": ("{scalar}",)}
EXPRESSIONS = {
    "array": ("a", "b", "c"),
    "scalar": ("s", "t"),
    "vector": (
        "{array}",
        "np.sin({vector})",
        "({vector} + {vector} * 0.5)",
        "({vector} * {number})",
        "np.tanh({vector} * {vector})",
        "(A[{row}] * 0.9)",
        "rows[{row}]",
        "L[{end}]",
        "N[{bit}][{bit}]",
        "({vector} if {test} else {vector})",
        "(A[:, {column}][:3] + 0.1)",  # a sum: NumPy mixes A[1] = A[:3, 2] up
        "D['p']",
        "{vector}[::-1]",
        "({vector} * HIDDEN)",
        "np.array([{number}, {number}, {number}])",
        "np.array([w * {number} for w in {vector}])",
        "np.where({vector} > 0.1, {vector}, {vector})",
        "np.cumsum({vector})",
        "np.append({vector}[1:], {number})",
        "(lambda w: w * {number})({vector})",
    ),
    "number": (
        "{scalar}",
        "{vector}[{column}]",
        "np.sum({vector}) * 0.2",
        "({number} + 0.3)",
        "A[{row}, {column}]",
        "np.cos({number})",
        "({number} * {number} * 0.5)",
        "max({number}, {number})",
        "({number} if {test} else {number})",
        "abs({number})",
        "np.dot({vector}, {vector}) * 0.1",
        "sum({vector}) * 0.3",
        "sorted({vector})[{column}]",
        "np.max({vector})",
        "np.dot(A[{row}, :2], {vector}[1:])",
    ),
    "test": (
        "{number} > {constant}",
        "{number} > {constant}",
        "({number} > {constant} and {number} < 1.03)",
        "({number} > {constant} or {number} < -1.03)",
        "not {number} < {constant}",
        "-1.01 < {number} < 0.62",
        "np.all({vector} > {constant})",
        "any({vector} > {constant})",
        "{even}",
    ),
    "end": ("0", "-1", "1"),
    "bit": ("0", "1"),
}
STATEMENTS = (
    "{array} = {vector}",
    "{array} = {array} * 0.5 + {vector}",
    "{scalar} = {number}",
    "{scalar} += {number} * 0.3",
    "A[{row}] = {vector}",
    "A[{row}, {column}] = {number}",
    "A[{row}, {column}] += {number} * 0.5",
    "A[{row}] *= {number}",
    "A[1:3] = A[0:2] * 0.9 + {vector}",
    "{new} = A[{row}]; {new}[{column}] = {number}",
    "{new} = A.T; {new}[{column}, {row}] = {number}",
    "B[{row}, 1:] = {vector}[1:] * A[{row}, :2]",
    "A[[0, 2]] = {vector} * A[[1, 0]]",
    "A[A > 0.8] *= {number}",
    "np.add.at(B, ([0, 1, 1], [0, 2, 2]), {vector})",
    "np.multiply(A[{row}], {vector}, out=B[{row}])",
    "L.append({vector})",
    "L[{end}] = {vector}",
    "L[{end}] = L[{end}] * 0.5 + {vector}",
    "N[{bit}][{bit}] = {vector}",
    "N[{bit}] = [{vector}, {vector}]",
    "D['p'] = D['p'] * 0.3 + {vector}",
    "A[0], A[3] = A[3].copy(), A[0].copy()",
    "a, b = b, a + 0.1 * {vector}",
    "A, B = B, A",
    "{array} = changes({array} * 1.0, {vector})",
    "changes(A[{row}], {vector})",
    "{array} = returns_early({vector}, {number})",
    "box.push({vector})",
    "box.v[{column}] += {number}",
    "{array} = {array} + box.v",
    "{array} = sum([q * 0.3 for q in L[-2:]]) + {array}",
    "{array} = sum(generated({vector}, 3)) * 0.2",
    "{array} = np.where({vector} > 0.1, {vector}, {array})",
)
BLOCKS = (
    "if {test}:",
    "if {test}:",
    "if {test}:|else:",
    "if {test}:|else:",
    "if {test}:|elif {test}:|else:",
    "for {index} in range({trips}):",
    "for {index} in range({trips}):",
    "for {index}, {new} in enumerate(rows):",
    "for {new} in rows:",
    "for {new} in zip(rows, A.copy()):",
    "for {index} in reversed(range({trips})):",
    "for {index} in range({trips}, 0, -1):",
    "{index} = 0; while {index} < {trips} and np.sum(np.abs({array})) < 7.77:; {index} += 1",
    "{index} = 0; while True:; {index} += 1; if {index} > {trips} or {number} > 5.31: break",
    "for {index} in range({trips}):|else:",
)


class Program:
    """The text of a random program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0
        self.indices: list[str] = []
        self.lines: list[str] = []
        for _ in range(self.random.randrange(3, 7)):
            self.statement("    ", 3, False)
        self.text = HEAD + "\n".join(self.lines) + TAIL

    def fill(self, template: str, depth: int = 2, **given: str) -> str:
        """The template with something for each name in it."""
        choose = self.random.choice

        def part(found: re.Match[str]) -> str:
            kind = found[1]
            if kind in given:
                return given[kind]
            if kind == "constant":
                return f"{self.random.gauss(0, 1):.2f}"
            if kind in ("row", "column", "even"):
                return self.place(kind)
            options = LEAVES.get(kind, EXPRESSIONS[kind]) if depth <= 0 else EXPRESSIONS[kind]
            return self.fill(choose(options), depth - 1)

        return re.sub(r"{(\w+)}", part, template)

    def place(self, kind: str) -> str:
        """An index, mostly by the index of a loop where there is one."""
        index = self.random.choice(self.indices) if self.indices else ""
        if kind == "even":
            return f"{index} % 2 == 0" if index else "x[0] > 0.21"
        if not index or self.random.random() < 0.3:
            return str(self.random.randrange(-3, 4 if kind == "row" else 3))
        if kind == "column":
            return f"{index} % 3"
        forms = ("{} % 4", "({} + 1) % 4", "3 - {} % 4", "{} % 4 - 1")
        return self.random.choice(forms).format(index)

    def new(self, stem: str) -> str:
        self.names += 1
        return f"{stem}{self.names}"

    def statement(self, indent: str, depth: int, in_loop: bool) -> None:
        if depth and self.random.random() < 0.3:
            self.block(indent, depth - 1, in_loop)
            return
        template = self.random.choice(STATEMENTS)
        self.lines.append(indent + self.fill(template, new=self.new("v")))

    def block(self, indent: str, depth: int, in_loop: bool) -> None:
        template, index, row = self.random.choice(BLOCKS), self.new("i"), self.new("r")
        loops = "for" in template or "while" in template
        known = {"index": index, "new": row, "trips": str(self.random.randrange(6))}
        first, *others = template.split("|")
        opened = indent
        for line in self.fill(first, 1, **known).split("; "):
            self.lines.append(opened + line)
            if line.endswith(":"):
                opened = indent + "    "
        known_here = list(self.indices)
        self.indices += [index] if "{index}" in first else []
        self.body(indent, depth, in_loop or loops)
        self.indices = known_here
        for line in others:
            self.lines.append(indent + self.fill(line, 1, **known))
            self.body(indent, depth, in_loop)

    def body(self, indent: str, depth: int, in_loop: bool) -> None:
        for _ in range(self.random.randrange(1, 4)):
            self.statement(indent + "    ", depth, in_loop)
        if in_loop and self.random.random() < 0.2:
            leave = self.random.choice(("break", "continue"))
            self.lines.append(indent + self.fill(f"    if {{test}}: {leave}", 1))


def load(seed: int, folder: Path):
    """The function `f` of the program with this seed, from a file in the folder."""
    path = folder / f"plain_{seed}.py"
    path.write_text(Program(seed).text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f
