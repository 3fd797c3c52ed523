"""cache: a private folder for later processes, which nothing depends on."""

import os
import sys

import platformdirs
import pytest

from symdiff.runtime import cache
from symdiff.runtime.cache import compiled, write_new
from symdiff.runtime.python_module import load


def test_the_folder_keeps_a_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "KEPT_FILES", 6)
    monkeypatch.setattr(cache, "SELDOM", 1)
    for i in range(20):
        load(f"def f(x):\n    return x + {i}\n", "f", {})
        files = list((tmp_path / "python").iterdir())
        assert min(i + 1, 3) <= len(files) <= 6
    assert any("x + 19" in file.read_text() for file in files)
    assert not any("x + 0" in file.read_text() for file in files)


def test_the_folder_of_the_user(tmp_path, monkeypatch):
    monkeypatch.delenv("SYMDIFF_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "symdiff" / "python"
    assert cache.cache_folder("python") == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = str(tmp_path / "home" / ".cache" / "symdiff" / "python")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which is not heeded
    assert cache.cache_folder("python") == expected
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder("python") == expected


@pytest.mark.parametrize("caches", ["", "relative", "/tmp/caches"])
def test_the_folder_is_where_the_system_keeps_caches(caches, monkeypatch):
    monkeypatch.delenv("SYMDIFF_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", caches)
    expected = platformdirs.user_cache_dir("symdiff", appauthor=False)
    if caches != "relative":  # which the standard says not to heed, and the library does
        assert cache.base_folder() == expected
    monkeypatch.setattr(sys, "platform", "darwin")  # where it is asked
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **kwargs: "/caches")
    assert cache.base_folder() == "/caches"


def test_without_a_home_there_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SYMDIFF_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert cache.cache_folder("python") is None
    assert not list(tmp_path.iterdir())


def test_a_relative_setting_is_one_folder_wherever_the_program_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", "cache")
    monkeypatch.chdir(tmp_path)
    assert cache.cache_folder("python") == str(tmp_path / "cache" / "python")


# ---------------------------------------------------------------------------- compiled code

SOURCE = "def f(x):\n    return x + 1\n"


@pytest.fixture
def code_folder(tmp_path, monkeypatch):
    """A new folder for code, in a process that writes code."""
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(cache, "_new", {})
    return tmp_path / "python"


def result_of(code):
    namespace = {}
    exec(code, namespace)
    return namespace["f"](1)


def refuse(*args):
    raise AssertionError("compiled again")


def test_a_later_process_need_not_compile(code_folder, monkeypatch):
    compiled(SOURCE, "<one>")
    assert not list(code_folder.iterdir())  # nobody waits for it
    write_new()
    (file,) = code_folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0 or code_folder.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(cache, "compile", refuse, raising=False)
    code = compiled(SOURCE, "<one>")
    assert result_of(code) == 2
    assert code.co_filename == "<one>"
    for source, name in ((SOURCE + "\n", "<one>"), (SOURCE, "<two>")):
        with pytest.raises(AssertionError, match="compiled again"):
            compiled(source, name)


@pytest.mark.parametrize("other", ["version", "flags"])
def test_the_code_of_another_python_is_not_taken(code_folder, monkeypatch, other):
    compiled(SOURCE, "<one>")
    write_new()
    monkeypatch.setattr(cache, "compile", refuse, raising=False)

    class Other:
        version = "4.0" if other == "version" else sys.version
        dont_write_bytecode = False

        class flags:  # noqa: N801
            optimize = 2 if other == "flags" else sys.flags.optimize

    monkeypatch.setattr(cache, "sys", Other)
    with pytest.raises(AssertionError, match="compiled again"):
        compiled(SOURCE, "<one>")


def test_a_damaged_file_is_not_taken(code_folder):
    expected = compiled(SOURCE, "<one>")
    write_new()
    (file,) = code_folder.iterdir()
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert compiled(SOURCE, "<one>") == expected
        file.write_bytes(whole[:place])
        assert compiled(SOURCE, "<one>") == expected
    write_new()  # in the place of the damaged one
    assert file.read_bytes() == whole


def test_a_link_is_not_followed(code_folder, tmp_path, monkeypatch):
    compiled(SOURCE, "<one>")
    write_new()
    (file,) = code_folder.iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(cache, "compile", refuse, raising=False)
    with pytest.raises(AssertionError, match="compiled again"):
        compiled(SOURCE, "<one>")


def test_a_folder_that_cannot_be_written_does_no_harm(code_folder, monkeypatch):
    def refused(path, content):
        raise PermissionError(path)

    monkeypatch.setattr(cache, "replace", refused)
    assert result_of(compiled(SOURCE, "<one>")) == 2
    write_new()
    assert result_of(compiled(SOURCE, "<one>")) == 2
    assert load(SOURCE, "f", {})(1) == 2


def test_without_a_folder_all_is_compiled(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path / "file" / "in it"))
    monkeypatch.setattr(cache, "_new", {})
    assert result_of(compiled(SOURCE, "<one>")) == 2
    assert not cache._new


def test_a_process_that_writes_no_bytecode_writes_no_code(code_folder, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert result_of(compiled(SOURCE, "<one>")) == 2
    write_new()
    assert not list(code_folder.iterdir())


def test_the_code_that_waits_to_be_written_is_bounded(code_folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_CODES", 3)
    for i in range(5):
        compiled(SOURCE + "\n" * i, "<one>")
    write_new()
    assert len(list(code_folder.iterdir())) == 3


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_a_folder_of_somebody_else_is_not_used(code_folder, monkeypatch):
    code_folder.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: code_folder.stat().st_uid + 1)
    assert cache.cache_folder("python") is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_a_folder_inside_one_that_others_can_write_is_not_used(tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(own))
    assert cache.cache_folder("python") is None
    own.chmod(0o1777)  # as /tmp: nobody can put another one in its place
    assert cache.cache_folder("python") == str(own / "python")


def test_a_link_to_a_folder_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "python").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("SYMDIFF_CACHE_DIR", str(tmp_path))
    assert cache.cache_folder("python") is None


def test_the_own_folder_is_made_private(tmp_path, monkeypatch):
    monkeypatch.delenv("SYMDIFF_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "symdiff").mkdir()
    (tmp_path / "symdiff").chmod(0o775)
    assert cache.cache_folder("python") == str(tmp_path / "symdiff" / "python")
    assert (tmp_path / "symdiff").stat().st_mode & 0o077 == 0
