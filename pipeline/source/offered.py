"""Which releases of Go can be fetched here: the list of the first source that gives one."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError
from pipeline.source import archive, wheel
from pipeline.source.settings import Settings
from pipeline.web.answers import Patience

ASK_TIMEOUT = 300.0
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}((rc|beta)\d{1,4})?")
_LINE = re.compile(r"^Available versions: (.*)$", re.MULTILINE)
_HINT = "check the network, or name every release in full, such as --bases 1.26.6,1.27.3"


def releases(
    settings: Settings,
    shell: proc.Shell,
    note: Callable[[str], None] = lambda _: None,
    patience: Patience | None = None,
) -> tuple[str, ...]:
    """The release numbers that this host can have, in the order of the source that gives them; ``note`` is
    told why one before it did not. HostError when none does, with what each said."""
    failed: list[str] = []
    for name in settings.order:
        try:
            found = by_pip(shell) if name == "wheel" else by_index(settings, patience)
        except HostError as error:
            failed.append(f"{name}: {error.what}" + (f"; {error.meaning}" if error.meaning else ""))
            continue
        if failed:
            note(f"the list of releases is that of source {name}; {'; '.join(failed)}")
        return found
    raise HostError(
        "no source gives the list of Go releases, which --bases needs",
        meaning="\n  ".join(failed),
        hint=_HINT,
    )


def by_pip(shell: proc.Shell) -> tuple[str, ...]:
    """What the index that pip uses has for this host. HostError when it cannot be asked or has nothing."""
    words = ["index", "versions", "--disable-pip-version-check", "--no-input", "--retries=2", wheel.PACKAGE]
    result = shell.run(
        f"offered-{wheel.PACKAGE}",
        [sys.executable, "-m", "pip", *words],
        env=wheel.pip_env(),
        timeout=ASK_TIMEOUT,
    )
    listed = _LINE.search(result.stdout) if result.ok else None
    found = _numbers(listed.group(1).split(",")) if listed else ()
    if not found:
        raise _pip_failure(result)
    return found


def _pip_failure(result: proc.Result) -> HostError:
    if why := wheel.unreachable(result.stdout):
        return HostError("the package index cannot be reached", meaning=why, hint=_HINT)
    if "No matching distribution found" in result.stdout:
        return HostError(
            f"pip finds no {wheel.PACKAGE} wheel for this host, or no such package on its index",
            hint=f"pip's output is in {result.log}",
        )
    return HostError(
        f"pip gave no list of releases:\n{result.tail}",
        meaning="it took too long" if result.timed_out else "",
        hint=f"the log is {result.log}",
    )


def by_index(settings: Settings, patience: Patience | None = None) -> tuple[str, ...]:
    """What the Go team's index has an archive of for this host. HostError when it cannot be read, is no such
    index, or has nothing."""
    with tempfile.TemporaryDirectory(prefix="gopatch-offered-") as folder:
        found = _numbers(archive.offered(settings, Path(folder) / "index.json", patience))
    if not found:
        raise HostError("the index of Go's releases has none for this host", hint=_HINT)
    return found


def _numbers(words: list[str]) -> tuple[str, ...]:
    return tuple(word for word in map(str.strip, words) if _VERSION.fullmatch(word))
