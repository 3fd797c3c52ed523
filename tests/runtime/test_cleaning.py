"""cleaning: what is kept on disk is bounded, listed and removed."""

import os
from pathlib import Path

import pytest

from symdiff.runtime import cache, cleaning


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))
    return Path(cache.folder("native"))


def put(folder, name, size, used):
    (folder / name).write_bytes(bytes(size))
    os.utime(folder / name, (used, used))


def test_what_was_used_longest_ago_goes_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_BYTES", 1000)
    for i in range(10):
        put(folder, f"f{i}", 100, used=100 - i)
    cleaning.prune(folder)
    assert len(list(folder.iterdir())) == 10  # not more than is kept
    cache.touch(folder / "f9")
    put(folder, "new", 100, used=99)
    cleaning.prune(folder)
    assert {each.name for each in folder.iterdir()} == {"f9", "f0", "f1", "f2", "new"}


def test_a_number_of_files_is_kept(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_FILES", 6)
    for i in range(7):
        put(folder, f"f{i}", 1, used=i + 1)
    cleaning.prune(folder)
    assert {each.name for each in folder.iterdir()} == {"f4", "f5", "f6"}


def test_the_last_file_stays_however_large(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_BYTES", 10)
    put(folder, "old", 100, used=1)
    put(folder, "large", 100, used=2)
    cleaning.prune(folder)
    assert [each.name for each in folder.iterdir()] == ["large"]


def test_large_files_make_place_when_they_are_written(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_BYTES", 1000)
    for i in range(20):
        cache.replace(folder / f"f{i}", bytes(100 + i))
        os.utime(folder / f"f{i}", (i + 1, i + 1))
    assert sum(each.size for each in cleaning.files_in(folder)) <= 1000
    assert (folder / "f19").exists()


def test_all_is_listed_and_removed(folder):
    put(folder, "one", 3, used=1)
    put(Path(cache.cache_folder("python")), "two", 4, used=2)
    assert [(each.path.name, each.size) for each in cleaning.every_file()] == [
        ("one", 3), ("two", 4)]
    assert len(cleaning.clear()) == 2
    assert not cleaning.every_file()


def test_where_there_is_nothing_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path / "none"))
    assert not cleaning.every_file()
    assert not cleaning.clear()
    assert not (tmp_path / "none").exists()


def test_a_link_is_removed_and_not_what_it_leads_to(folder, tmp_path):
    (tmp_path / "mine").write_text("kept")
    (folder / "link").symlink_to(tmp_path / "mine")
    cleaning.clear()
    assert (tmp_path / "mine").read_text() == "kept"
    assert not list(folder.iterdir())
