"""Loops and branches as C: calls of programs that are functions by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symdiff.schedule.loops import C_TYPES, Branch, Buffer, Repeat


def pointer_to(buffer: Buffer) -> str:
    """The address of a buffer, in the function of a program."""
    if buffer.storage == "work":
        return f"({C_TYPES[buffer.dtype]} *)(w + {buffer.place})"
    return f"{buffer.storage}[{buffer.place}]"


def branched(step: Branch, first: str, second: str) -> Iterator[str]:
    """A branch between two functions."""
    given = [pointer_to(each) for each in step.given]
    sides = [[*given, *map(pointer_to, own)] for own in step.constants]
    yield _table("const void *", "a", sides[0])
    yield _table("const void *", "b", sides[1])
    yield _table("void *", "r", [pointer_to(each) for each in step.results])
    yield f"const _Bool *const taken = {pointer_to(step.taken)};"
    work = _work(step.work)
    yield f"if (*taken ? {first}(a, r, {work}) : {second}(b, r, {work}))"
    yield "    return 1;"


def repeated(step: Repeat, body: str, test: str) -> Iterator[str]:
    """A loop around a function."""
    start, by, reverse = step.indices
    given, count = len(step.given), len(step.carried)
    yield "int64_t index = 0;"
    starts = [pointer_to(each) for each in step.starts]
    rest = ["NULL"] * len(step.rows) + [pointer_to(each) for each in step.constants]
    arguments = ["&index", *map(pointer_to, step.given), *starts, *rest]
    yield _table("const void *", "a", arguments)
    targets = [pointer_to(own) for own, _ in step.carried]
    yield _table("void *", "r", [*targets, *["NULL"] * len(step.collected)])
    yield from _before(step, starts)
    yield f"for (int64_t t = 0; {_goes_on(step)}; t++) {{"
    yield from (f"    {line}" for line in _tested(step, test))
    trips = "*count" if step.trips is None else step.trips
    place = f"{trips} - 1 - t" if reverse else "t"
    yield f"    const int64_t at = {place};"
    yield f"    index = {start} + at * ({by});"
    for i, (own, other) in enumerate(step.carried):
        # what is written last is written to the first buffer, where the number of trips is known
        if step.trips is not None:
            last = f"({step.trips} - 1 - t) % 2"
            yield f"    r[{i}] = {last} ? (void *){pointer_to(other)} : (void *){pointer_to(own)};"
        else:
            yield f"    r[{i}] = t % 2 ? (void *){pointer_to(other)} : (void *){pointer_to(own)};"
    if step.trips:
        for i, each in enumerate(step.rows, 1 + given + count):
            size = each.bytes // step.trips
            yield f"    a[{i}] = (const char *){pointer_to(each)} + at * {size};"
        for i, each in enumerate(step.collected, count):
            size = each.bytes // step.trips
            yield f"    r[{i}] = (char *){pointer_to(each)} + at * {size};"
    yield "    (void)at;"
    yield f"    if ({body}(a, r, {_work(step.work)}))"
    yield "        return 1;"
    for i in range(count):
        yield f"    a[{1 + given + i}] = r[{i}];"
    yield "}"
    yield from _finished(step, given)


def _before(step: Repeat, starts: Sequence[str]) -> Iterator[str]:
    """What is there before a loop whose number of trips is not known."""
    if step.counter is not None:
        yield f"const int64_t *const count = {pointer_to(step.counter)};"
    if step.trips is None:
        yield "int64_t trips = 0;"
    if step.test is not None:
        yield "_Bool more = 0;"
        yield "void *const answer[1] = {&more};"
        constants = [pointer_to(each) for each in step.test_constants]
        yield _table("const void *", "q", [*map(pointer_to, step.given), *starts, *constants])


def _goes_on(step: Repeat) -> str:
    if step.trips is not None:
        return f"t < {step.trips}"
    return "t < *count" if step.counter is not None else "1"


def _tested(step: Repeat, test: str) -> Iterator[str]:
    """At the beginning of a trip: whether it is made."""
    if step.trips is not None:
        return
    if step.test is not None:
        given = len(step.given)
        for i in range(len(step.carried)):
            yield f"q[{given + i}] = a[{1 + given + i}];"
        yield f"if ({test}(q, answer, {_work(step.work)}))"
        yield "    return 1;"
        yield "if (!more)"
        yield "    break;"
    yield "trips++;"


def _finished(step: Repeat, given: int) -> Iterator[str]:
    """What is carried, in its place; the number of trips."""
    for i, (own, _) in enumerate(step.carried):
        if own.size and not step.trips:
            source, target = f"a[{1 + given + i}]", pointer_to(own)
            yield f"if ({source} != (const void *){target})"
            yield f"    memcpy({target}, {source}, {own.bytes});"
    if step.done is not None:
        yield f"*({C_TYPES[step.done.dtype]} *){pointer_to(step.done)} = trips;"


def _table(kind: str, name: str, entries: Sequence[str]) -> str:
    values = ", ".join(entries) or "NULL"
    return f"{kind}{name}[{max(len(entries), 1)}] = {{{values}}};"


def _work(buffer: Buffer) -> str:
    return f"w + {buffer.place}"
