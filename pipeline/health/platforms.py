"""What one operating system alone needs."""

from __future__ import annotations

import sys

from pipeline.health.base import Finding, Host


def macos(host: Host) -> list[Finding]:
    """Apple's Command Line Tools: git is a stub without them."""
    if host.system != "Darwin":
        return []
    result = host.ask(["xcode-select", "-p"], seconds=20)
    if result is None or not result.ok:
        fix = "xcode-select --install (no Xcode is needed)"
        return [Finding(check="macOS", severity="error", found="no Command Line Tools", fix=fix)]
    return [Finding(check="macOS", severity="ok", found=f"Command Line Tools at {result.stdout.strip()}")]


def windows(host: Host) -> list[Finding]:
    """Paths of more than 260 characters: the cache's are long."""
    if host.system != "Windows" or long_paths():
        return []
    found = "paths of more than 260 characters are off"
    fix = (
        r"as administrator: reg add HKLM\SYSTEM\CurrentControlSet\Control\FileSystem /v LongPathsEnabled "
        "/t REG_DWORD /d 1; or set GOPATCH_CACHE to a short path such as C:\\gp"
    )
    return [Finding(check="windows", severity="warn", found=found, fix=fix)]


def long_paths() -> bool:
    """Whether this Windows allows long paths; True elsewhere."""
    if sys.platform != "win32":
        return True
    import winreg  # type: ignore[unreachable, unused-ignore]  # on Windows only

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            return bool(winreg.QueryValueEx(opened, "LongPathsEnabled")[0])
    except OSError:
        return False
