"""The cache: built once, never half-trusted, and never cleaned where it is not ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline import store as room
from pipeline.errors import HostError, UsageError
from pipeline.store import TAG_NAME, TAG_TEXT, Store, clean

ROOT = Path(__file__).resolve().parents[2]
INPUTS: dict[str, Any] = {"version": "1.27.3", "flags": ["-a"]}


@pytest.fixture
def cache(tmp_path: Path) -> Store:
    made = Store(tmp_path / "a cache with spaces and ümläute ✓")
    made.prepare()
    return made


def builder(text: str = "content") -> room.Build:
    def build(folder: Path) -> Mapping[str, Any]:
        (folder / "file").write_text(text)
        return {"text": text}

    return build


def never(_folder: Path) -> Mapping[str, Any]:
    raise AssertionError("built again")


def test_an_entry_is_built_once_and_found_again(cache: Store) -> None:
    first = cache.fill("things", INPUTS, builder())
    again = cache.fill("things", INPUTS, never)
    assert (first.reused, again.reused) == (False, True)
    assert again.path == first.path
    assert (again.path / "file").read_text() == "content"
    assert again.meta == {"text": "content"}


def test_the_key_does_not_depend_on_the_order_of_inputs(cache: Store) -> None:
    cache.fill("things", {"a": 1, "b": 2}, builder())
    assert cache.fill("things", {"b": 2, "a": 1}, never).reused


@pytest.mark.parametrize(
    "inputs",
    [
        {**INPUTS, "version": "1.27.4"},
        {**INPUTS, "flags": ["-b"]},
        {**INPUTS, "flags": []},
        {**INPUTS, "extra": None},
        {"version": "1.27.3"},
        {**INPUTS, "version": ["1.27.3"]},
    ],
)
def test_any_other_input_is_another_entry(cache: Store, inputs: dict[str, Any]) -> None:
    first = cache.fill("things", INPUTS, builder("old"))
    other = cache.fill("things", inputs, builder("new"))
    assert other.key != first.key
    assert (first.path / "file").read_text() == "old"


def test_another_kind_is_another_entry(cache: Store) -> None:
    assert cache.fill("a", INPUTS, builder()).key != cache.fill("b", INPUTS, builder()).key


def test_text_with_the_same_letters_in_other_encodings_differs() -> None:
    assert room.digest("\u00e4") != room.digest("a\u0308")


def test_what_is_discarded_is_built_again(cache: Store) -> None:
    wrong = cache.fill("things", INPUTS, builder("wrong"))
    other = cache.fill("things", {"n": 1}, builder("other"))
    cache.discard("things", wrong.key)
    assert cache.find("things", INPUTS) is None
    assert [path.name for path in (cache.area / "things").iterdir()] == [other.key]
    cache.discard("things", wrong.key)
    assert cache.fill("things", INPUTS, builder("right")).meta == {"text": "right"}


def test_a_discarding_that_dies_leaves_no_entry_that_looks_whole(
    cache: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(_: Path) -> None:
        raise KeyboardInterrupt

    wrong = cache.fill("things", INPUTS, builder("wrong"))
    with monkeypatch.context() as patch:
        patch.setattr(room, "remove_tree", dies)
        with pytest.raises(KeyboardInterrupt):
            cache.discard("things", wrong.key)
    assert cache.fill("things", INPUTS, builder("right")).meta == {"text": "right"}
    assert [path.name for path in (cache.area / "things").iterdir()] == [wrong.key]


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), HostError("full")])
def test_a_builder_that_raises_leaves_nothing(cache: Store, error: BaseException) -> None:
    def fail(folder: Path) -> Mapping[str, Any]:
        (folder / "half").write_text("x")
        raise error

    with pytest.raises(type(error)):
        cache.fill("things", INPUTS, fail)
    assert list((cache.area / "things").iterdir()) == []
    assert not cache.fill("things", INPUTS, builder()).reused


def test_a_result_that_is_no_json_leaves_nothing(cache: Store) -> None:
    with pytest.raises(TypeError):
        cache.fill("things", INPUTS, lambda folder: {"path": folder})
    assert list((cache.area / "things").iterdir()) == []


@pytest.mark.parametrize(
    "manifest", [None, "", "{", "{}", "null", "[]", '{"meta": {}}', '{"meta": 1, "seconds": 1}']
)
def test_a_folder_without_a_whole_manifest_is_built_again(cache: Store, manifest: str | None) -> None:
    entry = cache.fill("things", INPUTS, builder("old"))
    (entry.path / "leftover").write_text("x")
    (entry.path / "entry.json").unlink()
    if manifest is not None:
        (entry.path / "entry.json").write_text(manifest)
    assert cache.lookup("things", entry.key) is None
    again = cache.fill("things", INPUTS, builder("new"))
    assert not again.reused
    assert sorted(path.name for path in again.path.iterdir()) == ["entry.json", "file"]
    assert (again.path / "file").read_text() == "new"


SCRIPT = """
import sys, time
from pathlib import Path
from pipeline.store import Store

root, log, mode = sys.argv[1:]

def build(folder):
    with open(log, "a") as stream:
        stream.write("built\\n")
    (folder / "half").write_text("x")
    if mode == "hang":
        print("ready", flush=True)
        time.sleep(60)
    time.sleep(0.5)
    return {"by": mode}

store = Store(Path(root), lambda text: print(text, flush=True))
store.prepare()
entry = store.fill("things", {"version": "1.27.3", "flags": ["-a"]}, build)
print("reused" if entry.reused else "fresh")
"""


def start(cache: Store, log: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(cache.root), str(log), mode],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_build_it_once(processes: None, tmp_path: Path) -> None:
    cache, log = Store(tmp_path / "shared ü"), tmp_path / "log"
    both = [start(cache, log, "normal") for _ in range(2)]
    said = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert log.read_text() == "built\n"
    assert sorted(words[-1] for words in said) == ["fresh", "reused"]


def test_a_killed_builder_leaves_nothing_that_is_trusted(
    processes: None, cache: Store, tmp_path: Path
) -> None:
    with start(cache, tmp_path / "log", "hang") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        home = cache.area / "things"
        (stale,) = home.iterdir()
        assert stale.name.startswith(".tmp-")
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    assert stale.exists()  # nobody could remove it
    entry = cache.fill("things", INPUTS, builder())
    assert not entry.reused
    assert list(home.iterdir()) == [entry.path]


def test_waiting_for_another_process_is_said(processes: None, cache: Store, tmp_path: Path) -> None:
    said: list[str] = []
    waiting = Store(cache.root, said.append)
    with start(cache, tmp_path / "log", "hang") as process:
        assert process.stdout is not None
        process.stdout.readline()
        killer = subprocess.Popen(
            [sys.executable, "-c", f"import time,os; time.sleep(1); os.kill({process.pid}, 9)"]
        )
        entry = waiting.fill("things", INPUTS, builder())
        killer.wait(timeout=20)
        process.wait(timeout=20)
    assert not entry.reused
    assert len(said) == 1
    assert "waiting for another run" in said[0]


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="not a gopatch cache"):
        Store(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_tools_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / TAG_NAME).write_text(
        TAG_TEXT.split("\n")[0] + "\n# This file is a cache directory tag created by cargo.\n"
    )
    (tmp_path / "debug").mkdir()
    with pytest.raises(UsageError):
        Store(tmp_path).prepare()
    with pytest.raises(UsageError):
        clean(tmp_path, older_than_days=None)
    assert (tmp_path / "debug").is_dir()


def test_preparing_mends_a_tag_that_a_dead_process_left_empty(tmp_path: Path) -> None:
    (tmp_path / TAG_NAME).touch()
    Store(tmp_path).prepare()
    assert room.is_cache(tmp_path)


def test_preparing_twice_is_harmless(cache: Store) -> None:
    entry = cache.fill("things", INPUTS, builder())
    cache.prepare()
    assert cache.lookup("things", entry.key) is not None


def test_a_place_that_cannot_be_written_is_the_hosts_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HostError, match="cannot be written"):
        Store(tmp_path / "file" / "cache").prepare()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_read_only_file_system_is_the_hosts_fault() -> None:
    with pytest.raises(HostError, match="GOPATCH_CACHE"):
        Store(Path("/proc/gopatch-cache")).prepare()


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOPATCH_CACHE", str(tmp_path / "ö"))
    assert room.default_root() == tmp_path / "ö"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOPATCH_CACHE", "relative")
    assert room.default_root() == tmp_path / "relative"


def refuse_to_clean(folder: Path) -> None:
    (folder / "keep").mkdir(exist_ok=True)
    for days in (None, 30.0):
        with pytest.raises(UsageError, match="nothing was removed"):
            clean(folder, older_than_days=days)
    assert (folder / "keep").is_dir()


def test_clean_refuses_a_folder_without_a_tag(tmp_path: Path) -> None:
    refuse_to_clean(tmp_path)


def test_clean_refuses_a_wrong_signature(tmp_path: Path) -> None:
    (tmp_path / TAG_NAME).write_text("Signature: 00000000000000000000000000000000\n# gopatch cache\n")
    refuse_to_clean(tmp_path)
    (tmp_path / TAG_NAME).write_bytes(b"\xff\xfe")
    refuse_to_clean(tmp_path)


def test_clean_refuses_a_link_to_a_cache(cache: Store, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(cache.root)
    refuse_to_clean(link)


def test_cleaning_what_does_not_exist_removes_nothing(tmp_path: Path) -> None:
    assert clean(tmp_path / "none", older_than_days=None) == ([], 0)


def test_clean_removes_only_what_was_long_unused(cache: Store) -> None:
    old = cache.fill("things", {"n": 1}, builder("x" * 1000))
    young = cache.fill("things", {"n": 2}, builder())
    dead = cache.area / "things" / ".tmp-dead"
    busy = cache.area / "things" / ".tmp-busy"
    dead.mkdir()
    busy.mkdir()
    long_ago = time.time() - 40 * 86400
    for path in (old.path / "entry.json", dead):
        os.utime(path, (long_ago, long_ago))
    victims, size = clean(cache.root, older_than_days=30)
    assert set(victims) == {old.path, dead}
    assert 1000 <= size < 3000
    assert sorted(path.name for path in (cache.area / "things").iterdir()) == sorted([".tmp-busy", young.key])


def test_use_keeps_an_entry_alive(cache: Store) -> None:
    entry = cache.fill("things", INPUTS, builder())
    long_ago = time.time() - 40 * 86400
    os.utime(entry.path / "entry.json", (long_ago, long_ago))
    cache.fill("things", INPUTS, never)
    assert clean(cache.root, older_than_days=30) == ([], 0)


def test_a_removal_that_dies_leaves_no_entry_that_looks_whole(
    cache: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = cache.fill("things", INPUTS, builder())
    long_ago = time.time() - 40 * 86400
    os.utime(entry.path / "entry.json", (long_ago, long_ago))

    def die(path: Path) -> None:
        (path / "file").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(room, "remove_tree", die)
        with pytest.raises(KeyboardInterrupt):
            clean(cache.root, older_than_days=30)
    assert cache.lookup("things", entry.key) is None
    assert (cache.fill("things", INPUTS, builder()).path / "file").exists()


def test_clean_all_keeps_the_tag_and_follows_no_link(cache: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    entry = cache.fill("things", INPUTS, builder())
    (entry.path / "link").symlink_to(outside)
    (entry.path / "read-only").mkdir()
    (entry.path / "read-only" / "f").write_text("x")
    (entry.path / "read-only").chmod(0o555)
    clean(cache.root, older_than_days=None)
    assert [path.name for path in cache.root.iterdir()] == [TAG_NAME]
    assert (outside / "file").exists()
    assert not cache.fill("things", INPUTS, builder()).reused


def test_hard_links_are_counted_by_their_share(cache: Store) -> None:
    def build(folder: Path) -> Mapping[str, Any]:
        (folder / "a").write_bytes(b"x" * 100_000)
        os.link(folder / "a", folder / "b")
        return {}

    cache.fill("things", INPUTS, build)
    _, size = clean(cache.root, older_than_days=None)
    assert 100_000 <= size < 110_000


def test_the_manifest_says_what_the_entry_was_made_from(cache: Store) -> None:
    entry = cache.fill("things", INPUTS, builder())
    manifest = json.loads((entry.path / "entry.json").read_text())
    assert manifest["inputs"] == INPUTS
    assert manifest["key"] == entry.key


@pytest.mark.parametrize(("count", "whole"), [(3, False), (100, True)])
def test_an_entry_is_on_disk_before_it_has_its_name(
    cache: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, whole: bool
) -> None:
    """A few files are flushed one by one, with their folders; many by one call for all. What is a link to
    another file is there already."""
    (tmp_path / "other").write_text("x")
    flushed: list[int] = []
    monkeypatch.setattr(os, "sync", lambda: flushed.append(0))
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))

    def build(folder: Path) -> Mapping[str, Any]:
        (folder / "below").mkdir()
        for number in range(count):
            (folder / "below" / str(number)).write_text("x")
        (folder / "linked").mkdir()
        os.link(tmp_path / "other", folder / "linked" / "one")
        return {}

    entry = cache.fill("things", {"count": count}, build)
    new = [path for path in entry.path.rglob("*") if "linked" not in path.parts]
    found = {path.stat().st_ino for path in (entry.path, *new)}
    assert set(flushed) == ({0} if whole else found)
