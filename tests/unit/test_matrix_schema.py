"""The JSON Schemas: committed as the models say, and of one mind with the reader of the files."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from pipeline.plan import schema
from pipeline.plan.file import MatrixFile
from tests.unit.matrixes import ROOT, SHIPPED
from tests.unit.schemas import faults


@pytest.mark.parametrize("name", list(schema.MODELS))
def test_what_is_committed_is_what_the_models_say(name: str) -> None:
    option = "--schema" if name == "matrix" else "--series-schema"
    committed = (ROOT / f"schema/{name}.schema.json").read_text(encoding="utf-8")
    assert committed == schema.text(name), f"./inv matrix {option} > schema/{name}.schema.json"


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(schema.text(name))
    return found


@pytest.mark.parametrize("name", list(schema.MODELS))
def test_an_editor_is_told_what_each_key_means(name: str) -> None:
    found = loaded(name)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"{name}.schema.json"
    for where, one in {name: found, **found["$defs"]}.items():
        assert one["additionalProperties"] is False, where
        assert one["description"], where
        assert [key for key, field in one["properties"].items() if not field.get("description")] == [], where


def test_the_files_name_their_schemas() -> None:
    assert SHIPPED.startswith("# yaml-language-server: $schema=schema/matrix.schema.json\n")
    for file in (ROOT / "patches").glob("*/series.yml"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        path = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / path).resolve() == ROOT / "schema/series.schema.json"


def test_the_repositorys_own_files_are_right_by_their_schemas() -> None:
    found = loaded("matrix")
    assert list(faults(yaml.safe_load(SHIPPED), found, found)) == []
    found = loaded("series")
    for file in (ROOT / "patches").glob("*/series.yml"):
        assert list(faults(yaml.safe_load(file.read_text(encoding="utf-8")), found, found)) == []


def changed(path: str, value: Any) -> dict[str, Any]:
    """The shipped file with one value in it that is another."""
    data: dict[str, Any] = yaml.safe_load(SHIPPED)
    *parents, last = path.split("/")
    inside: Any = data
    for name in parents:
        inside = inside.setdefault(name, {})
    inside[last] = value
    return data


GOOD = [
    ("platforms/linux-amd64/runner", ["self-hosted", "linux"]),
    ("platforms/linux-amd64/build", {"GOAMD64": "v3", "GOEXPERIMENT": "arenas"}),
    ("platforms/linux-amd64/pin", [2, 3]),
    ("axes/x", {"platforms": [], "values": {"y": {"parameters": {"GOGC": "off"}}}}),
    ("suites/s/benchmarks", {"net/http": ["BenchmarkÄ"]}),
    ("thresholds/quick/units", {"B/op": {"effect": "1.5%", "margin": "2%"}}),
]
BAD = [
    ("version", 2),
    ("base", 1.27),
    ("platforms", {}),
    ("platforms/A", {"goos": "linux", "goarch": "386"}),
    ("platforms/a", {"goos": "linux"}),
    ("platforms/linux-amd64/goos", "Linux"),
    ("platforms/linux-amd64/runner", "a b"),
    ("platforms/linux-amd64/runner", [1]),
    ("platforms/linux-amd64/vm", {"os": "plan9", "version": "4"}),
    ("platforms/linux-amd64/parameters", {"GOGX": "1"}),
    ("platforms/linux-amd64/parameters", {"GOGC": 50}),
    ("platforms/linux-amd64/environment", {"a": "x"}),
    ("platforms/linux-amd64/build", {"GOAMD64": "v5"}),
    ("platforms/linux-amd64/build", {"GOFLAGS": "x"}),
    ("platforms/linux-amd64/pin", [-1]),
    ("platforms/linux-amd64/test_timeout", 1.5),
    ("axes/x/values", {}),
    ("axes/x/values", {"y": {"goos": "linux"}}),
    ("exclude", [{"platform": "*"}]),
    ("include", [{"x": "y"}]),
    ("suites/s", {"benchmarks": {"net": ["TestX"]}}),
    ("profiles/fast", {}),
    ("profiles/quick/rounds", 3),
    ("profiles/quick/benchtime", "soon"),
    ("profiles/quick/compile/types", "some"),
    ("thresholds/quick/effect", 0.05),
    ("actions/checkout", {"sha": "0" * 40, "version": "v1"}),
    ("actions/a~b", {"sha": "0" * 40, "version": "v1"}),
    ("sources/order", ["ftp"]),
    ("more", 1),
]


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_the_schema_takes_what_the_reader_takes(path: str, value: Any) -> None:
    data, found = changed(path, value), loaded("matrix")
    MatrixFile.model_validate(data)
    assert list(faults(data, found, found)) == []


@pytest.mark.parametrize(("path", "value"), BAD)
def test_the_schema_refuses_what_the_reader_refuses(path: str, value: Any) -> None:
    data, found = changed(path, value), loaded("matrix")
    if path not in ("exclude", "include"):  # what these lack, only the whole file shows
        with pytest.raises(ValueError, match="validation error"):
            MatrixFile.model_validate(data)
    assert list(faults(data, found, found))
