"""Taking fields out of a result: base name, name parts, configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pipeline.benchfmt import Result

Extract = Callable[[Result], str]

_PROCS = re.compile(r"-[0-9]+\Z")
_GOMAXPROCS = "/gomaxprocs"


def name_parts(name: str) -> tuple[str, list[str]]:
    """Split ``Sort/size=4/x-8`` into its base name and ``["/size=4", "/x", "-8"]``."""
    match = _PROCS.search(name)
    rest = name[: match.start()] if match else name
    base, *parts = rest.split("/")
    out = ["/" + part for part in parts]
    if match:
        out.append(match[0])
    return base, out


def extractor(key: str) -> Extract:
    """Return a function that takes ``key`` (``.name``, ``.fullname``, ``/part`` or a file key) out.

    Raises:
        ValueError: the key is empty.
    """
    if not key:
        raise ValueError("key must not be empty")
    if key == ".name":
        return base_name
    if key == ".fullname":
        return lambda result: result.name
    if key.startswith("/"):
        return lambda result: name_part(result.name, key)
    return lambda result: result.config.get(key)


def base_name(result: Result) -> str:
    """The name up to the first slash, or without ``-N`` if there is none."""
    name = result.name
    slash = name.find("/")
    return name[:slash] if slash >= 0 else _PROCS.sub("", name)


def name_part(name: str, key: str) -> str:
    """The value of ``/key=value`` in a name, or the empty string; ``/gomaxprocs`` is the final ``-N`` too."""
    _, parts = name_parts(name)
    if key == _GOMAXPROCS and parts and parts[-1][0] == "-":
        return parts[-1][1:]
    prefix = key + "="
    for part in parts:
        if part.startswith(prefix):
            return part[len(prefix) :]
    return ""


def full_name_without(excluded: Sequence[str]) -> Extract:
    """Return a function for the full name less the parts that other projections take.

    Excluded parts vanish rather than leaving a mark, so that names with and without them meet in one row;
    an excluded base name becomes ``*``.
    """
    no_base = ".name" in excluded
    prefixes = tuple(key + "=" for key in excluded if key.startswith("/"))
    no_procs = _GOMAXPROCS in excluded
    if not no_base and not prefixes:
        return lambda result: result.name

    def extract(result: Result) -> str:
        base, parts = name_parts(result.name)
        kept = [part for part in parts if not part.startswith(prefixes) and not (no_procs and part[0] == "-")]
        return ("*" if no_base else base) + "".join(kept)

    return extract
