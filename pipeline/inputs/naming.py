"""Names and words made from what others wrote: safe as file names, in versions and in a terminal."""

from __future__ import annotations

import re

from pipeline.patch import lint


def safe(text: str, otherwise: str) -> str:
    """A series' name: lower-case letters, digits, ``.``, ``_`` and ``-``, at most 64."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[:64].rstrip("-._") or otherwise


def file_name(number: int, text: str) -> str:
    """A patch's file name, as git makes it from a subject: ``0001-runtime-retry.patch``."""
    slug = re.sub(r"\.+", ".", re.sub(r"[^A-Za-z0-9._]+", "-", text)).strip("-.")[:52].rstrip("-.")
    return f"{number:04d}-{slug or 'patch'}.patch"


def plain(text: str, length: int = 80) -> str:
    """Text as a message may quote it: one line, nothing that a terminal would obey."""
    shown = "".join("?" if lint.hidden(char) else char for char in " ".join(text.split()))
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"
