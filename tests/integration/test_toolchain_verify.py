"""Official releases, built again here: the wheels of the same platforms are what they are compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import RELEASE
from tests.integration.toolchains import TOOLS, check_verified, verify

pytestmark = pytest.mark.go


@pytest.mark.parametrize("base", list(TOOLS))
def test_a_release_is_rebuilt_bit_for_bit(cache: Path, base: str) -> None:
    check_verified(cache, f"--base={base}", likeness="same")


def test_a_local_tree_has_nothing_to_be_compared_with(cache: Path, release: Path) -> None:
    code, found, err = verify(cache, f"--base={release}")
    assert (code, found) == (ExitCode.USAGE, {})
    assert "no official build" in err


def test_a_platform_without_a_wheel_is_refused(cache: Path) -> None:
    code, _, err = verify(cache, f"--base={RELEASE}", "--goos=plan9", "--goarch=386")
    assert code == ExitCode.USAGE
    assert "no wheel of Go for plan9/386" in err
    assert "windows/amd64" in err
