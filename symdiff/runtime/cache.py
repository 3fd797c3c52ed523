"""What one process leaves for later ones, in a private folder of the user's.

Nothing depends on it: where there is no folder, or a file in it is damaged or of another version,
the work is done again.
"""

from __future__ import annotations

import atexit
import marshal
import os
import stat
import sys
import threading
import zlib
from pathlib import Path
from types import CodeType

from platformdirs import user_cache_path

KEPT_FILES = 2000  # in a folder
SELDOM = 16  # one new file in so many looks whether there are too many
KEPT_CODES = 200  # of one process


def cache_folder(kind: str) -> Path | None:
    """The private folder for files of a kind (mode 0700, ours), or None if there can be none."""
    try:
        folder = _base() / kind
        if not folder.is_absolute():  # there is no home
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            return None
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
    except (OSError, RuntimeError):  # nothing is writable; there is no home
        return None
    return folder


def _base() -> Path:
    own = os.environ.get("SYMDIFF_CACHE_DIR")
    return Path(own).absolute() if own else user_cache_path("symdiff", appauthor=False)


_folders: dict[tuple[str, str | None], Path | None] = {}


def folder(kind: str) -> Path | None:
    """`cache_folder`, checked once per process and setting."""
    key = kind, os.environ.get("SYMDIFF_CACHE_DIR")
    if key not in _folders:
        _folders[key] = cache_folder(kind)
    return _folders[key]


def digest(content: bytes) -> str:
    """A name for a file with this content; others may have the same."""
    return f"{zlib.crc32(content):08x}{zlib.adler32(content):08x}"


def content(path: str) -> bytes | None:
    """What a regular file holds; None if there is none."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123
                return file.read()
    except FileNotFoundError:
        pass
    return None


def replace(path: str | Path, content: bytes) -> None:
    """Write a file so that others see the old content or the new one, and nothing between.

    In folders of ours, old files make place for it.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}_{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if path.parent in _folders.values() and zlib.crc32(content) % SELDOM == 0:
        _prune(path.parent)


def _prune(folder: Path) -> None:
    """Remove the older half of the files where there are more than are kept."""
    try:
        with os.scandir(folder) as entries:
            files = list(entries)
        if len(files) <= KEPT_FILES:
            return
        files.sort(key=lambda entry: entry.stat().st_mtime)
        for entry in files[: len(files) // 2]:
            (folder / entry.name).unlink()
    except OSError:
        pass  # another process is at it: the next one tries again


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
    path = os.path.join(place, f"{digest(head)}.code")  # noqa: PTH118  twice as fast
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
