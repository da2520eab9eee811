"""Which addresses may be used, and how messages show them."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from urllib.parse import SplitResult, urlsplit

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_local(address: str) -> bool:
    """Whether ``address`` is a path and not a URL."""
    return "://" not in address


def check_address(text: str) -> str:
    """``text`` when it is an address that may be used; ValueError says why not, and never quotes a
    password."""
    if not text.isprintable() or not text or len(text) > 1000:
        raise ValueError("should be a URL or a path, without control characters")
    if is_local(text):
        # `host:path` and `ext::command` are addresses to git; no path is taken for one of them.
        if text.startswith(("/", "./", "../", "~/")) or PureWindowsPath(text).is_absolute():
            return text
        raise ValueError("should be an https:// URL, or a path that starts with /, ./, ../ or ~/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is not a valid URL") from error
    if parts.username is not None or parts.password is not None:
        raise ValueError("should hold no user name and no password; keep them in ~/.netrc")
    if not host or not is_safe(parts):
        raise ValueError("should be an https:// URL (http:// only for 127.0.0.1 and localhost), or a path")
    return text


def is_safe(parts: SplitResult) -> bool:
    """Whether nobody on the way can read or alter what is fetched from there. Readers of URLs disagree about
    where the host ends when there is a backslash or an ``@`` in it."""
    if "\\" in parts.netloc or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def resolve(address: str, root: Path) -> str:
    """A path made absolute, relative ones from ``root``; a URL as it is."""
    return str((root / Path(address).expanduser()).resolve()) if is_local(address) else address


def join(mirror: str, name: str) -> str:
    """The address of the file ``name`` on a mirror."""
    return str(Path(mirror) / name) if is_local(mirror) else f"{mirror.rstrip('/')}/{name}"


def shown(address: str) -> str:
    """``address`` as messages may show it: a query or user information can hold what is secret."""
    if is_local(address):
        return address
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an invalid URL"
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path}"
