"""The map of a small series with a variant on real releases, and on one that nobody has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import ExitCode
from tests.integration import forked
from tests.integration.harness import LEN, RELEASE, ROOT, Edits, command, diff, environment, make_series

pytestmark = pytest.mark.go
OLDER = "1.26.6"
RING = "src/container/ring/ring.go"
# Nothing of this host's: only a check for Windows can find it.
BROKEN = 'package ring\n\nvar size int = "windows"\n'


@pytest.fixture(scope="module")
def series(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patches for 1.27; for 1.26 one, which does not compile on Windows."""
    first = diff(release, Edits(replace={RING: (LEN, f"{LEN}\t// One.\n")}))
    second = diff(release, Edits(add={"src/container/ring/two.go": "package ring\n\nconst two = 2\n"}))
    older = diff(release, Edits(add={"src/container/ring/size_windows.go": BROKEN}))
    folder = make_series(tmp_path_factory.mktemp("map") / "ringed", [first, second, older])
    settings = yaml.safe_load((folder / "series.yml").read_text())
    settings["variants"] = [{"base": ">=1.26, <1.27", "patches": [settings["patches"].pop()]}]
    (folder / "series.yml").write_text(yaml.safe_dump(settings))
    return folder


def patch_map(cache: Path, out: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    words = command("patch-map", f"--out={out}", *arguments)
    done = forked.run(words, cwd=ROOT, env=environment(cache), timeout=600)
    assert done.returncode in {0, 1, 4}, done.stderr
    return done.returncode, json.loads((out / "map.json").read_text()), done.stdout


def test_a_variant_that_does_not_compile_everywhere_and_a_release_that_is_not_there(
    cache: Path, series: Path, tmp_path: Path
) -> None:
    bases = f"--bases={OLDER},1.27.99,{RELEASE}"
    code, found, said = patch_map(cache, tmp_path / "one", f"--series={series}", bases)
    assert code == found["exit_code"] == ExitCode.PATCH_FAILS
    older, absent, newer = found["bases"]

    assert (older["result"], older["tried"]["variant"]) == ("FAIL", ">=1.26, <1.27")
    assert [one["rung"] for one in older["patches"]] == ["exact"]
    types = older["signals"]["types"]
    assert {"windows/386", "windows/amd64", "windows/arm64"} <= set(types["failing"])
    assert all(name.startswith("windows/") for name in types["failing"])
    # Elsewhere no file of the package changes.
    assert types["platforms"] == {"FAIL": len(types["failing"])}
    assert {"linux/amd64", "darwin/arm64", "js/wasm"} <= set(older["untouched"])
    assert "size_windows.go:3:16" in older["tried"]["reason"]

    assert (absent["result"], absent["tried"]["ended"]) == ("unknown", "fetch")
    assert "1.27.99 is not among the releases" in absent["tried"]["reason"]

    assert newer["result"] == "ok"
    assert [one["rung"] for one in newer["patches"]] == ["exact", "exact"]
    assert newer["signals"]["types"]["failing"] == []
    assert newer["signals"]["types"]["platforms"]["ok"] > 40
    assert newer["untouched"] == []
    assert f"{len(types['failing'])} FAIL" in said

    code, found, _ = patch_map(cache, tmp_path / "two", f"--series={series}", f"--bases={RELEASE}")
    assert (code, found["complete"]) == (0, True)
    assert all(one["reused"] for one in found["bases"][0]["compile"]["results"])


def test_a_hunk_that_moved_is_named(cache: Path, release: Path, tmp_path: Path) -> None:
    # cond.go is two lines shorter in 1.26.6, above its last function.
    last = "func (*noCopy) Unlock() {}\n"
    edits = Edits(replace={"src/sync/cond.go": (last, f"{last}\n// Done.\n")})
    path = tmp_path / "0001-cond.patch"
    path.write_text(f"Subject: [PATCH] sync: say where it ends\n\n---\n{diff(release, edits)}")
    code, found, said = patch_map(
        cache, tmp_path / "out", f"--series={path}", f"--bases={OLDER},{RELEASE}", "--compile=none"
    )
    assert code == ExitCode.PASS
    older, newer = found["bases"]
    (hunk,) = older["patches"][0]["not_exact"]
    assert (hunk["file"], hunk["rung"], hunk["offset"]) == ("src/sync/cond.go", "offset", -2)
    assert (newer["patches"][0]["rung"], newer["patches"][0]["not_exact"]) == ("exact", [])
    assert "src/sync/cond.go" in said
