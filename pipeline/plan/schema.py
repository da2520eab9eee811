"""The JSON Schemas of matrix.yml and series.yml, for editors. What a field means is said once, below it in
the model; it is read from there only when a schema is wanted, since every command loads the models."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from pipeline.patch.series import SeriesFile
from pipeline.plan.file import MatrixFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MODELS: Mapping[str, type[BaseModel]] = {"matrix": MatrixFile, "series": SeriesFile}


def text(name: str) -> str:
    """The schema of one of MODELS, as it is committed in ``schema/<name>.schema.json``."""
    model = MODELS[name]
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for one in {model, *_within(model)}:
        _describe(schema if one is model else definitions[one.__name__], one)
    whole = {"$schema": DRAFT, "$id": f"{name}.schema.json", **_closed(schema), "title": f"{name}.yml"}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _closed(schema: Any) -> Any:
    """With every pattern of keys as the only keys: as pydantic writes it, others would be let pass."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if "patternProperties" in made:
        ((pattern, value),) = made.pop("patternProperties").items()
        made |= {"additionalProperties": value, "propertyNames": {"pattern": pattern}}
    return made


def _within(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Every model that a model's fields lead to."""
    found: set[type[BaseModel]] = set()
    left = [model]
    while left:
        for field in left.pop().model_fields.values():
            new = set(_models(field.annotation)) - found
            found |= new
            left += new
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            for name, words in _docstrings(one).items():
                schema["properties"][name]["description"] = words
    schema["description"] = " ".join((model.__doc__ or "").split())


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field in a model's source."""
    body = [
        line
        for one in ast.parse(textwrap.dedent(inspect.getsource(model))).body
        if isinstance(one, ast.ClassDef)
        for line in one.body
    ]
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
