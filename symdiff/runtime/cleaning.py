"""What is in the folders on disk: listed, removed, and kept from growing without end."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from symdiff.runtime import cache

KINDS = ("native", "python")


class Kept(NamedTuple):
    """A file in a folder: how large it is, and when it was used."""

    path: Path
    size: int
    used: float


def prune(folder: str | Path) -> None:
    """Where there is more than is kept, remove what was used longest ago, to half of that."""
    files = files_in(folder)
    total = sum(each.size for each in files)
    if len(files) <= cache.KEPT_FILES and total <= cache.KEPT_BYTES:
        return
    size = 0
    for i, each in enumerate(files):
        size += each.size
        if i and (i >= cache.KEPT_FILES // 2 or size > cache.KEPT_BYTES // 2):
            with contextlib.suppress(OSError):  # another process is at it
                each.path.unlink()


def files_in(folder: str | Path) -> list[Kept]:
    """The files of a folder, the one used last first."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # it is gone
                status = entry.stat(follow_symlinks=False)
                found.append(Kept(Path(entry.path), status.st_size, status.st_mtime))
    return sorted(found, key=lambda each: (-each.used, each.path))


def every_file() -> list[Kept]:
    """The files of all folders that are there and ours, the one used last first in each."""
    folders = [Path(cache.base_folder(), kind) for kind in KINDS]
    ours = [each for each in folders if each.is_dir() and cache.cache_folder(each.name)]
    return [file for folder in ours for file in files_in(folder)]


def clear() -> list[Kept]:
    """Remove every file from the folders; those that were removed."""
    removed = []
    for each in every_file():
        with contextlib.suppress(OSError):
            each.path.unlink()
            removed.append(each)
    return removed
