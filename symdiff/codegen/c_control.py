"""Loops and branches as C: calls of programs that are functions by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from symdiff.schedule.loops import ALIGNMENT, C_TYPES, Branch, Buffer, Loops, Repeat, every_step

CALL_BYTES = 64  # at the beginning of the work space, of what has an `sd_call`
_BETWEEN = 100_000_000  # operations, about a tenth of a second, between two looks for signals
_ROOM = 512  # bytes that a list begins with, but at least two rows

CALL = """\
/* What a call has besides its arguments: memory for lists of a length that only loops know. */
typedef struct {
    char *at, *end, *most;
    int (*signals)(void);
} sd_call;
"""
LISTS = """\
/* More memory for a list: behind it, where that is free, or else it is moved. */
static int sd_longer(sd_call *call, char **list, size_t size, size_t wanted)
{
    char *const at = *list && *list + size == call->at ? *list : call->at;
    if ((size_t)(call->end - at) < wanted)
        return 3;
    if (at != *list && size)
        memcpy(at, *list, size);
    *list = at;
    call->at = at + wanted;
    if (call->at > call->most)
        call->most = call->at;
    return 0;
}
"""


def is_long(step: Repeat) -> bool:
    """Whether a loop may take so long that somebody would like to interrupt it."""
    return step.trips is None or step.trips * step.body.operations > _BETWEEN


def keeps_lists(program: Loops) -> bool:
    """Whether loops of a program make lists."""
    return any(isinstance(each, Repeat) and each.lists for each in every_step(program))


class Calling(NamedTuple):
    """What programs need in a call besides their arguments: so many bytes, and memory for lists."""

    bytes: int  # at the beginning of the work space, for an `sd_call`
    lists: bool


def calling_of(programs: Iterable[Loops], signals: bool = True) -> Calling:
    """What any of the programs of one file needs; long ones look for `signals`."""
    steps = [each for own in programs for each in every_step(own) if isinstance(each, Repeat)]
    lists = any(each.lists for each in steps)
    needed = lists or (signals and any(map(is_long, steps)))
    return Calling(CALL_BYTES if needed else 0, lists)


def pointer_to(buffer: Buffer) -> str:
    """The address of a buffer, in the function of a program."""
    if buffer.storage == "work":
        return f"({C_TYPES[buffer.dtype]} *)(w + {buffer.place})"
    return f"{buffer.storage}[{buffer.place}]"


def branched(step: Branch, first: str, second: str, more: str = "") -> Iterator[str]:
    """A branch between two functions, which take `more` arguments."""
    given = [pointer_to(each) for each in step.given]
    sides = [[*given, *map(pointer_to, own)] for own in step.constants]
    yield _table("const void *", "a", sides[0])
    yield _table("const void *", "b", sides[1])
    yield _table("void *", "r", [pointer_to(each) for each in step.results])
    yield f"const _Bool *const taken = {pointer_to(step.taken)};"
    work = _work(step.work) + more
    yield f"const int status = *taken ? {first}(a, r, {work}) : {second}(b, r, {work});"
    yield "if (status)"
    yield "    return status;"


def repeated(
    step: Repeat, body: str, test: str, more: str = "", signals: bool = False
) -> Iterator[str]:
    """A loop around a function; one that may be long looks for `signals`."""
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
    yield "    int status;"
    if signals and is_long(step):
        yield from (f"    {line}" for line in _interrupted(step))
    yield from (f"    {line}" for line in _tested(step, test, more))
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
    yield from (f"    {line}" for line in _rows(step))
    yield "    (void)at;"
    yield f"    status = {body}(a, r, {_work(step.work)}{more});"
    yield "    if (status)"
    yield "        return status;"
    for i in range(count):
        yield f"    a[{1 + given + i}] = r[{i}];"
    yield "}"
    yield from _finished(step, given)


def _before(step: Repeat, starts: Sequence[str]) -> Iterator[str]:
    """What is there before a loop whose number of trips is not known."""
    if step.counter is not None:
        yield f"const int64_t *const count = {pointer_to(step.counter)};"
    if step.trips is not None:
        return
    yield "int64_t trips = 0;"
    if step.test is not None:
        yield "_Bool more = 0;"
        yield "void *const answer[1] = {&more};"
        constants = [pointer_to(each) for each in step.test_constants]
        yield _table("const void *", "q", [*map(pointer_to, step.given), *starts, *constants])
    for i, each in enumerate(step.rows):
        yield f"const uint64_t *const rows{i} = {pointer_to(each)};"
    if step.lists:
        yield "char *list = NULL;"
        yield "int64_t room = 0;"


def _goes_on(step: Repeat) -> str:
    if step.trips is not None:
        return f"t < {step.trips}"
    return "t < *count" if step.counter is not None else "1"


def _interrupted(step: Repeat) -> Iterator[str]:
    """Every so many trips, a power of two, a look for signals."""
    trips = max(_BETWEEN // max(step.body.operations, 10), 1)
    yield f"if (t % {1 << (trips.bit_length() - 1)} == 0 && call->signals && call->signals())"
    yield "    return 4;"


def _tested(step: Repeat, test: str, more: str) -> Iterator[str]:
    """At the beginning of a trip: whether it is made."""
    if step.trips is not None:
        return
    if step.test is not None:
        given = len(step.given)
        for i in range(len(step.carried)):
            yield f"q[{given + i}] = a[{1 + given + i}];"
        yield f"status = {test}(q, answer, {_work(step.work)}{more});"
        yield "if (status)"
        yield "    return status;"
        yield "if (!more)"
        yield "    break;"
    yield "trips++;"


def _rows(step: Repeat) -> Iterator[str]:
    """Where the rows of a trip are, and what is collected."""
    given, count = 1 + len(step.given) + len(step.carried), len(step.carried)
    if step.trips is None:
        for i in range(len(step.rows)):
            place = f"(const char *)(uintptr_t)rows{i}[0] + at * (int64_t)rows{i}[1]"
            yield f"a[{given + i}] = {place};"
        if step.lists:
            yield from _longer(step)
            record, places = _record(step)
            for i, offset in enumerate(places, count):
                yield f"r[{i}] = list + at * {record} + {offset};"
        return
    for i, each in enumerate(step.rows, given):
        size = each.bytes // step.trips
        yield f"a[{i}] = (const char *){pointer_to(each)} + at * {size};"
    for i, each in enumerate(step.collected, count):
        size = each.bytes // step.trips
        yield f"r[{i}] = (char *){pointer_to(each)} + at * {size};"


def _record(step: Repeat) -> tuple[int, list[int]]:
    """The bytes of all that a trip collects, and where in them each value is."""
    end, places = 0, []
    for each in step.body.results[len(step.carried) :]:
        size = each.size * each.dtype.itemsize
        unit = 8 if size < ALIGNMENT else ALIGNMENT
        places.append(-(-end // unit) * unit)
        end = places[-1] + size
    unit = 8 if end < ALIGNMENT else ALIGNMENT
    return max(-(-end // unit), 1) * unit, places


def _longer(step: Repeat) -> Iterator[str]:
    """Twice as much room for the values of a loop, where there is none; or for all at once."""
    record, _ = _record(step)
    if step.counter is not None:
        wanted = "*count"
    else:
        wanted = f"room ? 2 * room : {max(_ROOM // record, 2)}"
    yield "if (t == room) {"
    yield f"    const int64_t wanted = {wanted};"
    yield f"    status = sd_longer(call, &list, (size_t)(room * {record}),"
    yield f"        (size_t)(wanted * {record}));"
    yield "    if (status)"
    yield "        return status;"
    yield "    room = wanted;"
    yield "}"


def _finished(step: Repeat, given: int) -> Iterator[str]:
    """What is carried, in its place; the number of trips; lists."""
    for i, (own, _) in enumerate(step.carried):
        if own.size and not step.trips:
            source, target = f"a[{1 + given + i}]", pointer_to(own)
            yield f"if ({source} != (const void *){target})"
            yield f"    memcpy({target}, {source}, {own.bytes});"
    if step.done is not None:
        yield f"*({C_TYPES[step.done.dtype]} *){pointer_to(step.done)} = trips;"
    if step.lists:
        record, places = _record(step)
        yield f"if (list && list + room * {record} == call->at)"
        yield f"    call->at = list + trips * {record};"
        for i, (each, place) in enumerate(zip(step.collected, places, strict=True)):
            yield f"uint64_t *const made{i} = {pointer_to(each)};"
            yield f"made{i}[0] = (uint64_t)((uintptr_t)list + {place});"
            yield f"made{i}[1] = {record};"


def _table(kind: str, name: str, entries: Sequence[str]) -> str:
    values = ", ".join(entries) or "NULL"
    return f"{kind}{name}[{max(len(entries), 1)}] = {{{values}}};"


def _work(buffer: Buffer) -> str:
    return f"w + {buffer.place}"
