"""What of a workflow file is decided before anything runs: the order of jobs, matrices, inputs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.actions.stand_ins import UnsupportedError
from tests.actions.values import Strict, Value, from_yaml

# Of several results, the first of these is that of the whole.
RESULTS = ("failure", "cancelled", "success", "skipped")


def check(given: Mapping[str, Any], known: set[str], what: str) -> None:
    """UnsupportedError for a key that the runner does not know."""
    if unknown := sorted(set(given) - known):
        raise UnsupportedError(f"keys {unknown} of {what}")


def needs(job: Mapping[str, Any]) -> list[str]:
    """The jobs that a job names."""
    named = job.get("needs", [])
    return [named] if isinstance(named, str) else list(named)


def ancestors(jobs: Mapping[str, Any], key: str) -> list[str]:
    """The jobs that ``key`` needs, and what these need: all of them count for success()."""
    found: dict[str, None] = {}
    waiting = needs(jobs[key])
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += needs(jobs[name])
    return list(found)


def in_order(jobs: Mapping[str, Any]) -> Iterator[str]:
    """Each job after those that it needs, and else as the file has them."""
    left = dict(jobs)
    while left:
        ready = next((key for key in left if not set(needs(left[key])) & set(left)), None)
        if ready is None:
            raise UnsupportedError(f"the jobs {sorted(left)} need each other")
        del left[ready]
        yield ready


def together(results: Iterable[str]) -> str:
    """One result of many jobs."""
    found = set(results)
    return next((word for word in RESULTS if word in found), "success")


def declared(on: Any, event: str, given: Mapping[str, Value]) -> Strict:
    """The inputs that the event's section declares, with defaults. UnsupportedError for others."""
    section = on if isinstance(on, dict) else {on: None} if isinstance(on, str) else dict.fromkeys(on)
    if event not in section:
        raise UnsupportedError(f"not started by {event}, only by {sorted(section)}")
    known = (section[event] or {}).get("inputs", {}) if isinstance(section[event], dict) else {}
    if unknown := sorted(set(given) - set(known)):
        raise UnsupportedError(f"inputs {unknown} are not declared")
    found = Strict()
    for name, one in known.items():
        if name not in given and one.get("required"):
            raise UnsupportedError(f"the input {name} is required")
        value = given.get(name, from_yaml(one.get("default", "")))
        if one.get("type") == "choice" and value not in one["options"]:
            raise UnsupportedError(f"the input {name} is one of {one['options']}, and not {value!r}")
        found[name] = value
    return found


def combinations(matrix: Mapping[str, Value]) -> list[dict[str, Value]]:
    """The jobs of a matrix: the product of its lists, and what ``include`` adds to them or beside them."""
    vectors = {key: value for key, value in matrix.items() if key not in ("include", "exclude")}
    if matrix.get("exclude"):
        raise UnsupportedError("exclude of a matrix")
    rows = [dict(zip(vectors, one, strict=True)) for one in itertools.product(*vectors.values())]
    rows = rows if vectors else []
    first = len(rows)
    for extra in matrix.get("include") or []:
        fits = [row for row in rows[:first] if all(row[key] == extra[key] for key in vectors if key in extra)]
        for row in fits:
            row.update(extra)
        if not fits:
            rows.append(dict(extra))
    return rows
