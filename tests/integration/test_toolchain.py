"""When the release's tools will not do: what the series changes decides, by the release's own list."""

from __future__ import annotations

import pytest

from pipeline.toolchain import build
from pipeline.toolchain.build import Builder

pytestmark = pytest.mark.go


@pytest.mark.parametrize(
    ("changed", "touched"),
    [
        ("src/runtime/netpoll_kqueue.go", False),
        ("src/internal/poll/fd_unix.go", False),
        ("src/net/dial.go", False),
        ("src/cmd/compile/internal/ssa/rewrite.go", True),
        ("src/cmd/compile/internal/ssa/rewrite_test.go", False),
        ("src/internal/abi/map.go", True),
        ("src/internal/runtime/maps/map.go", True),
        ("src/math/big/int.go", True),
    ],
)
def test_what_the_tools_compute_with(builder: Builder, changed: str, touched: bool) -> None:
    assert build.touches_tools(builder, [changed]) is touched
