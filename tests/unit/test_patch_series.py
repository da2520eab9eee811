"""Series folders: mistakes with their place, links and sizes, and subjects of mails."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PatchError, PipelineError, UsageError
from pipeline.patch import lint, series
from pipeline.values import Finding

DIFF = "--- a/src/runtime/p.go\n+++ b/src/runtime/p.go\n@@ -1 +1 @@\n-a\n+b\n"
YAML = 'series: x\nsubject: "runtime: y"\nbase: ">=1.27, <1.28"\npatches:\n  - 0001.patch\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "patches" / "x"
    made.mkdir(parents=True)
    (made / "series.yml").write_text(YAML)
    (made / "0001.patch").write_text(DIFF)
    return made


def mistakes(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        series.load(folder)
    return caught.value.what.replace(str(folder), "F")


def test_loads(folder: Path) -> None:
    found = series.load(folder)
    assert (found.name, found.base) == ("x", ">=1.27, <1.28")
    assert found.patches[0].files == ("src/runtime/p.go",)
    assert series.supports(found, "1.27.3")
    assert not series.supports(found, "1.28.0")
    assert series.supports(found, "devel")


def test_the_digest_covers_the_patches_and_the_file(folder: Path) -> None:
    before = series.load(folder).digest
    (folder / "0001.patch").write_text(DIFF.replace("+b", "+c"))
    patched = series.load(folder).digest
    (folder / "series.yml").write_text(YAML + "tests: {runtime: [TestX]}\n")
    assert len({before, patched, series.load(folder).digest}) == 3


@pytest.mark.parametrize("text", [">=1.28, <1.27", "===x", ">1.27, <1.27.0", "==1.27.*, !=1.27.*"])
def test_a_range_without_a_release(folder: Path, text: str) -> None:
    (folder / "series.yml").write_text(YAML.replace(">=1.27, <1.28", text))
    assert mistakes(folder) == f"F/series.yml:3:1: base: no release is in {text!r}"


@pytest.mark.parametrize(
    "text", ["", ">=1.27rc1", "~=1.27.1", "==1.27.3", "===1.27.3", ">=1.27, !=1.27.0", "<2"]
)
def test_a_range_with_a_release(folder: Path, text: str) -> None:
    (folder / "series.yml").write_text(YAML.replace(">=1.27, <1.28", text))
    assert series.load(folder).base == text


def test_a_patch_that_is_listed_twice(folder: Path) -> None:
    (folder / "series.yml").write_text(
        YAML + '  - 0001.patch\nvariants: [{base: ">=1.28", patches: [0001.patch, 0001.patch]}]\n'
    )
    assert mistakes(folder).splitlines() == [
        "F/series.yml:6:5: patches[1]: 0001.patch is listed twice",
        "F/series.yml:7:51: variants[0].patches[1]: 0001.patch is listed twice",
    ]


VARIANTS = """variants:
  - base: ">=1.26, <1.27"
    patches: [go1.26.patch]
  - base: ">=1.28"
    patches: [go1.28.patch]
    tests: {net: [TestY]}
    packages: []
"""


@pytest.fixture
def variants(folder: Path) -> Path:
    (folder / "series.yml").write_text(YAML + "tests: {runtime: [TestX]}\npackages: [runtime]\n" + VARIANTS)
    for name in ("go1.26", "go1.28"):
        (folder / f"{name}.patch").write_text(DIFF.replace("p.go", f"{name.replace('.', '_')}.go"))
    return folder


@pytest.mark.parametrize(
    ("version", "patch", "why"),
    [
        ("1.27.3", "0001.patch", ""),
        ("1.26.6", "go1.26.patch", ""),
        ("1.29.1", "go1.28.patch", ""),
        ("release-branch.go1.26", "go1.26.patch", ": BASE is 1.26"),
        ("1.28-devel_0123456789 2026-11-21", "go1.28.patch", ": BASE is 1.28"),
        ("1.27-devel_0123456789 2026-01-21", "0001.patch", ": BASE is 1.27"),
        ("", "go1.28.patch", ": BASE has no release number, and it is the newest"),
        ("tip", "go1.28.patch", ": BASE has no release number, and it is the newest"),
        ("1.25-devel_0123456789 2025-01-21", "go1.28.patch", ", though it is not for BASE (1.25-devel_"),
    ],
)
def test_the_variant_is_that_of_the_base(variants: Path, version: str, patch: str, why: str) -> None:
    found = series.load(variants, version)
    assert [one.name for one in found.patches] == [patch]
    assert found.variant == found.base
    assert found.ranges == (">=1.27, <1.28", ">=1.26, <1.27", ">=1.28")
    said = series.variant_note(found, version if not why else "BASE", version)
    assert said.startswith(f"of 3 variants, the one for Go {found.variant} is used{why}")
    if not why:
        assert series.supports(found, version)


def test_a_release_without_a_variant_is_not_supported(variants: Path) -> None:
    note = series.variant_note(series.load(variants, "1.25.3"), "1.25.3", "1.25.3")
    assert note.endswith(" is used, though it is not for 1.25.3")
    found = series.load(variants, "1.25.3")
    assert not series.supports(found, "1.25.3")


def test_a_variant_overrides_what_it_names(variants: Path) -> None:
    older, newer = series.load(variants, "1.26.1"), series.load(variants, "1.28.1")
    assert (older.tests, older.packages) == ({"runtime": ("TestX",)}, ("runtime",))
    assert (newer.tests, newer.packages) == ({"net": ("TestY",)}, ())
    assert len({one.digest for one in (older, newer, series.load(variants, "1.27.1"))}) == 3
    before = series.load(variants, "1.27.1").digest
    (variants / "go1.26.patch").write_text(DIFF)
    assert series.load(variants, "1.27.1").digest == before
    assert series.load(variants, "1.26.1").digest != older.digest


def test_without_variants_nothing_is_said_of_them(folder: Path) -> None:
    found = series.load(folder, "1.27.3")
    assert (found.variant, series.variant_note(found, "1.27.3", "1.27.3")) == ("", "")


def test_every_mistake_of_the_variants_at_once(folder: Path) -> None:
    (folder / "series.yml").write_text(
        YAML
        + """variants:
  - base: ">=1.27.2, <1.29"
    patches: [0001.patch, none.patch]
  - base: ">=1.28"
    patches: [0001.patch]
  - base: ">=1.26, <1.25"
    patches: [0001.patch]
"""
    )
    assert mistakes(folder).splitlines() == [
        "F/series.yml:8:27: variants[0].patches[1]: none.patch does not exist in F",
        "F/series.yml:7:5: variants[0].base: '>=1.27.2, <1.29' overlaps base '>=1.27, <1.28': "
        "both hold Go 1.27.2",
        "F/series.yml:9:5: variants[1].base: '>=1.28' overlaps variants[0].base '>=1.27.2, <1.29': "
        "both hold Go 1.28",
        "F/series.yml:11:5: variants[2].base: no release is in '>=1.26, <1.25'",
    ]
    (folder / "series.yml").write_text(
        YAML + "variants:\n  - base: soon\n    patch: [x]\n  - {base: '>=1.28', patches: [], subject: x}\n"
    )
    said = mistakes(folder)
    for part in (
        "series.yml:7:5: variants[0].base: should be a range of releases",
        "variants[0].patches: is required",
        "series.yml:8:5: variants[0].patch: unknown key; did you mean patches?",
        "variants[1].patches: ",
        "variants[1].subject: unknown key",
    ):
        assert part in said, said


def test_every_mistake_at_once(folder: Path) -> None:
    (folder / "series.yml").write_text(
        "series: Bad Name\nbase: nonsense\npatches: [../x.patch]\ntestz: {}\n"
        "tests: {runtime: [Nope]}\nbenchmarks: {../x: [BenchmarkX]}\nissue: 12\n"
    )
    said = mistakes(folder)
    for part in (
        "series.yml:1:1: series: should be lower-case",
        "subject: is required",
        "series.yml:2:1: base: should be a range of releases",
        "series.yml:3:11: patches[0]: should be a plain file name",
        "series.yml:4:1: testz: unknown key; did you mean tests?",
        "series.yml:5:19: tests.runtime[0]: should be a test function",
        "an import path of the standard library",
        "series.yml:7:1: issue:",
    ):
        assert part in said, said


def test_a_missing_patch_has_its_place(folder: Path) -> None:
    (folder / "series.yml").write_text(YAML + "  - 0002-none.patch\n")
    assert mistakes(folder) == "F/series.yml:6:5: patches[1]: 0002-none.patch does not exist in F"


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.patch").write_text(DIFF)
    (folder / "0001.patch").unlink()
    (folder / "0001.patch").symlink_to(tmp_path / "secret.patch")
    assert "link that leaves" in mistakes(folder)


def test_too_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "MAX_BYTES", 10)
    with pytest.raises(PatchError, match=r"^0001\.patch:1: error: size: more than 10 bytes\n"):
        lint.refuse(lint.of(series.load(folder).patches))


def test_the_errors_of_every_patch_at_once(folder: Path) -> None:
    (folder / "series.yml").write_text(YAML + "  - 0002.patch\n")
    (folder / "0001.patch").write_text(DIFF.replace("src/", "../"))
    (folder / "0002.patch").write_text(DIFF.replace("+b", "+\u202e"), encoding="utf-8")
    with pytest.raises(
        PatchError, match=r"(?s)0001\.patch:1: error: path-escape: .*\n0002\.patch:5: error: char"
    ):
        lint.refuse(lint.of(series.load(folder).patches))
    assert [one.file for one in lint.of(series.load(folder).patches) if one.severity == "error"] == [
        "0001.patch",
        "0002.patch",
    ]


def test_the_rules_for_messages_are_advice_or_errors(folder: Path) -> None:
    mail = "From: a\nSubject: [PATCH] Runtime: Fix it.\n\nBecause it is broken.\n\nFixes #1234\n---\n"
    (folder / "0001.patch").write_text(mail + DIFF)
    (patch,) = series.load(folder).patches
    assert {one.rule for one in patch.findings} == {"subject-package", "subject-verb", "subject-period"}
    assert {one.line for one in patch.findings} == {2}
    with pytest.raises(PatchError, match=r"0001\.patch:2: error: subject-verb: ") as caught:
        lint.refuse(lint.of([patch], "error"))
    assert "commit_rules: error" in caught.value.hint
    binary = Finding(severity="error", rule="binary", file="0001.patch", line=9, message="m")
    with pytest.raises(PatchError) as caught:
        lint.refuse([*lint.of([patch], "error"), binary])
    assert "plain text files" in caught.value.hint


def test_find_by_name_and_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = folder.parent
    assert series.find("x", patches) == folder
    assert series.find(str(folder), patches) == folder
    assert series.find(str(folder / "series.yml"), patches) == folder
    monkeypatch.chdir(folder)
    assert series.find(".", patches) == folder
    monkeypatch.chdir(patches)
    elsewhere = folder / "none"
    for spelled in ("./x", "x/", "./x/series.yml", "../" + patches.name + "/x"):
        assert series.find(spelled, elsewhere) == folder
    with pytest.raises(UsageError, match="no series 'x'") as caught:
        series.find("x", elsewhere)
    assert caught.value.meaning == "did you mean the folder here? That is --series=./x"
    with pytest.raises(UsageError, match="no series 'xx'") as caught:
        series.find("xx", patches)
    assert "x" in caught.value.meaning


def subject(folder: Path, *head: str) -> str:
    (folder / "0001.patch").write_text(
        "\n".join([*head, "", "body", "---", "", "diff --git a/src/runtime/p.go b/src/runtime/p.go", DIFF])
    )
    (patch,) = series.load(folder).patches
    lint.refuse(patch.findings)
    return patch.subject


def test_subjects(folder: Path) -> None:
    first = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001"
    assert subject(folder, first, "From: A <a@b>", "Subject: [PATCH 1/2] runtime: x") == "runtime: x"
    assert subject(folder, "Subject: [PATCH v3] runtime: a", " folded line") == "runtime: a folded line"
    assert subject(folder, "Subject: =?UTF-8?q?[PATCH]=20runtime:=20=C3=BCber?=") == "runtime: über"
    assert subject(folder, "Subject: [PATCH] [release] x") == "[release] x"
    (folder / "0001.patch").write_text(DIFF)
    assert series.load(folder).patches[0].subject == ""


@pytest.mark.parametrize("code", ["=E2=80=AE", "=1b[31m", "=00", "=E2=80=8B"])
def test_an_encoded_subject_cannot_smuggle_what_a_plain_one_may_not(folder: Path, code: str) -> None:
    with pytest.raises(PatchError, match="an invisible or control character"):
        subject(folder, f"Subject: =?utf-8?q?runtime:_x{code}y?=")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from('=?utf-8qbQB_ ab[]:;"<>,@\n\t\\é(0'), max_size=40))
def test_any_subject_is_text_that_can_be_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        shown = lint.examine("x", f"Subject: {text}\n\n{DIFF}".encode()).message.subject
    except PipelineError:
        return
    assert "\n" not in shown
    shown.encode()


def test_a_subject_that_reorders_text_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "series.yml").write_text(
        'series: s\nsubject: "runtime: \u202ex"\nbase: ">=1.27"\npatches: [a.patch]\n', encoding="utf-8"
    )
    with pytest.raises(UsageError, match=r"series.yml:2:1: subject: holds an invisible or control character"):
        series.load(folder)


def test_a_folder_of_patches_is_told_what_it_lacks(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with pytest.raises(UsageError) as caught:
        series.find(str(folder), tmp_path)
    assert "or a patch" in caught.value.hint
    (folder / "0001.patch").write_text(DIFF)
    with pytest.raises(UsageError, match=r"series\.yml does not exist") as caught:
        series.find(str(folder), tmp_path)
    assert caught.value.hint == "give --series the patch file itself, or write a series.yml"


def test_an_empty_list_is_counted(folder: Path) -> None:
    (folder / "series.yml").write_text(YAML.replace("\n  - 0001.patch", " []"))
    assert mistakes(folder) == "F/series.yml:4:1: patches: should have at least 1 item (found 0)"
