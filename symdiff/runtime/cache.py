"""What one process leaves for later ones, in a private folder of the user's.

Nothing depends on it: where there is no folder, or a file in it is damaged or of another version,
the work is done again. Paths are strings: pathlib takes longer to import than all of this takes.
"""

from __future__ import annotations

import atexit
import contextlib
import marshal
import os
import stat
import sys
import threading
import zlib
from types import CodeType

KEPT_FILES = 2000  # in a folder
KEPT_BYTES = 256 << 20  # in a folder
KINDS = ("native", "python")
SELDOM = 16  # one new file in so many looks whether there are too many
KEPT_CODES = 200  # of one process


def cache_folder(kind: str) -> str | None:
    """The private folder for files of a kind (mode 0700, ours), or None if there can be none."""
    try:
        base = base_folder()
        folder = os.path.join(base, kind)
        if not os.path.isabs(folder):  # there is no home
            return None
        os.makedirs(os.path.dirname(base), exist_ok=True)
        for each in (base, folder):
            with contextlib.suppress(FileExistsError):
                os.mkdir(each, 0o700)
        status = os.lstat(folder)
        if not (_is_safe(base) and stat.S_ISDIR(status.st_mode) and _is_ours(status)):
            return None
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.chmod(folder, 0o700)
    except OSError:  # nothing is writable
        return None
    return folder


def _is_ours(status: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()


def _is_safe(base: str) -> bool:
    """Whether nobody else can put another folder in the place of one inside."""
    status = os.stat(base)
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        if os.environ.get("SYMDIFF_CACHE_DIR") or not _is_ours(status):
            return False
        os.chmod(base, 0o700)
    return _is_ours(status) or status.st_uid == 0


def base_folder() -> str:
    """What the folders are in, which need not exist; a relative path where there is no home."""
    own = os.environ.get("SYMDIFF_CACHE_DIR")
    if own:
        return os.path.abspath(own)
    if sys.platform != "linux":
        from platformdirs import user_cache_dir  # knows them all, and takes 5 ms to import

        return user_cache_dir("symdiff", appauthor=False)
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(caches):  # such a one is not heeded, says the standard
        caches = os.path.expanduser("~/.cache")
    return os.path.join(caches, "symdiff")


_folders: dict[tuple[str, str | None], str | None] = {}


def folder(kind: str) -> str | None:
    """`cache_folder`, checked once per process and setting."""
    key = kind, os.environ.get("SYMDIFF_CACHE_DIR")
    if key not in _folders:
        _folders[key] = cache_folder(kind)
    return _folders[key]


def digest(content: bytes) -> str:
    """A name for a file with this content; others may have the same."""
    return f"{zlib.crc32(content):08x}{zlib.adler32(content):08x}"


def content(path: str, ours: bool = False) -> bytes | None:
    """What a regular file holds; None if there is none, or it has to be ours and is not."""
    try:
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and (_is_ours(status) or not ours):
            with open(path, "rb", buffering=0) as file:
                return file.read()
    except FileNotFoundError:
        pass
    return None


def touch(path: str | os.PathLike[str]) -> None:
    """Note that a file was used: it is kept longer."""
    with contextlib.suppress(OSError):  # one that is only for reading
        os.utime(path)


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that others see the old content or the new one, and nothing between.

    In folders of ours, files used long ago make place for it.
    """
    path = os.fspath(path)
    temporary = f"{path}.{os.getpid()}_{threading.get_ident()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    looks = len(content) * SELDOM > KEPT_BYTES / KEPT_FILES or zlib.crc32(content) % SELDOM == 0
    within = os.path.dirname(path)
    if within in _folders.values() and looks:
        from symdiff.runtime.cleaning import prune  # seldom

        prune(within)


# ---------------------------------------------------------------------------- compiled code

_new: dict[str, tuple[bytes, CodeType]] = {}  # by file: written when the process ends


def compiled(source: str, filename: str) -> CodeType:
    """As compile(source, filename, "exec"), which an earlier process may have done already.

    What is new is written when the process ends: nobody waits for it.
    """
    place = folder("python")
    if place is None:
        return compile(source, filename, "exec")
    # the whole source is compared; what else decides on the code is Python and its options
    text = f"{sys.version} {sys.flags.optimize}\n{filename}\n{source}".encode()
    head = len(text).to_bytes(8, "little") + text
    path = os.path.join(place, f"{digest(head)}.code")
    found = _code_in(path, head)
    if found is None:
        found = compile(source, filename, "exec")
        if len(_new) < KEPT_CODES and not sys.dont_write_bytecode:
            _new[path] = head, found
    return found


def _code_in(path: str, head: bytes) -> CodeType | None:
    """The code in a file that begins with this head; None where it is another, or damaged."""
    try:
        held = content(path)
    except OSError:
        return None
    if held is None or not held.startswith(head):
        return None
    check, body = held[len(head) : len(head) + 4], held[len(head) + 4 :]
    if check != zlib.crc32(body).to_bytes(4, "little"):
        return None
    code = marshal.loads(body)  # written by us, in a folder of ours, and as it was written
    return code if isinstance(code, CodeType) else None


@atexit.register
def write_new() -> None:
    """Write the code that this process was the first to compile."""
    while _new:
        path, (head, code) = _new.popitem()
        body = marshal.dumps(code)
        try:
            replace(path, head + zlib.crc32(body).to_bytes(4, "little") + body)
        except OSError:
            return  # it is compiled again


if hasattr(os, "register_at_fork"):  # the parent writes what it has compiled
    os.register_at_fork(after_in_child=_new.clear)
