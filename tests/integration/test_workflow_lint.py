"""The three checks of workflow files fire on what they are for, and only then."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.commands import develop
from pipeline.github import workflows
from tests.actions.fleets import PLAIN, WHOLE
from tests.integration.harness import ROOT

pytestmark = pytest.mark.npm

SCHEMA, ZIZMOR, ACTIONLINT = "check-jsonschema", "zizmor", "actionlint"
SOUND = """\
name: Sound
on:
  push:
permissions: {}
concurrency:
  group: ${{ github.workflow }}-${{ github.ref }}
  cancel-in-progress: true
jobs:
  one:
    name: one
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - name: Say it
        env:
          REF: ${{ github.ref }}
        run: echo "$REF"
"""


def complaints(*files: Path) -> dict[str, str]:
    """What each check that fails says."""
    found = {}
    steps = develop.workflow_steps(ROOT, files)
    for name, words in zip((SCHEMA, ZIZMOR, ACTIONLINT), steps, strict=True):
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
        )
        if done.returncode:
            found[name] = done.stdout + done.stderr
    return found


def seeded(tmp_path: Path, old: str, new: str) -> dict[str, str]:
    """The complaints about SOUND with a flaw."""
    assert SOUND.count(old) == 1
    path = tmp_path / "flawed.yml"
    path.write_text(SOUND.replace(old, new))
    return complaints(path)


def test_what_is_sound_passes(tmp_path: Path) -> None:
    path = tmp_path / "sound.yml"
    path.write_text(SOUND)
    assert complaints(path) == {}


@pytest.mark.parametrize("made_for", [WHOLE, PLAIN], ids=["whole", "plain"])
def test_whatever_the_templates_make_passes(tmp_path: Path, made_for: workflows.Fleet) -> None:
    files = []
    for path, text in workflows.render(ROOT, made_for).items():
        files.append(tmp_path / Path(path).name)
        files[-1].write_text(text)
    assert complaints(*files) == {}


def test_no_file_at_all_is_no_pass() -> None:
    assert set(complaints()) == {SCHEMA, ZIZMOR, ACTIONLINT}


def test_an_unknown_key(tmp_path: Path) -> None:
    found = seeded(tmp_path, "    timeout-minutes: 5\n", "    time-out: 5\n")
    assert "time-out" in found[SCHEMA]
    assert 'unexpected key "time-out"' in found[ACTIONLINT]


def test_text_from_outside_in_a_script(tmp_path: Path) -> None:
    found = seeded(tmp_path, 'echo "$REF"', "echo '${{ github.head_ref }}'")
    assert "template-injection" in found[ZIZMOR]
    assert '"github.head_ref" is potentially untrusted' in found[ACTIONLINT]
    assert SCHEMA not in found


def test_an_action_that_is_not_pinned(tmp_path: Path) -> None:
    found = seeded(tmp_path, "        run: echo", "        uses: a/b@v1\n      - name: x\n        run: echo")
    assert "unpinned-uses" in found[ZIZMOR]


def test_a_permission_for_nobody_knows_what(tmp_path: Path) -> None:
    assert "excessive-permissions" in seeded(tmp_path, "permissions: {}\n", "")[ZIZMOR]


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    found = seeded(tmp_path, "REF: ${{ github.ref }}", "REF: ${{ needs.plan.outputs.x }}")
    assert set(found) == {ACTIONLINT}
    assert 'property "plan" is not defined' in found[ACTIONLINT]


def test_a_label_that_no_runner_has(tmp_path: Path) -> None:
    found = seeded(tmp_path, "ubuntu-24.04", "ubuntu-24.05")
    assert set(found) == {ACTIONLINT}
    assert 'label "ubuntu-24.05" is unknown' in found[ACTIONLINT]


def test_the_lock_names_no_host() -> None:
    text = (ROOT / develop.NPM / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert text.count('"integrity": "sha512-') == text.count('"node_modules/') > 20
