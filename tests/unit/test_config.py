"""Strict YAML: every mistake at once, each with its place in the file."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, model_validator

from pipeline import config
from pipeline.errors import UsageError


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    count: int = 0


class Even(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    numbers: list[int]
    more: str = ""

    @model_validator(mode="after")
    def _even(self) -> Even:
        odd = [(index, one) for index, one in enumerate(self.numbers) if one % 2]
        if odd:
            found = [config.Mistake(("numbers", index), f"{one} is odd") for index, one in odd]
            raise config.MistakesError(*found, config.Mistake(("more", 3), "nor is this"))
        return self


class File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    version: int
    items: list[Item] = []
    rooms: dict[str, Item] = {}
    even: Even | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "con fig.yml"


def problems(file: Path, text: str | bytes) -> list[str]:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        config.check(config.load(file), File)
    return [line.replace(str(file), "F") for line in caught.value.what.splitlines()]


def test_reads_what_is_right(file: Path) -> None:
    file.write_text("version: 1\nitems: [{name: ä, count: 2}]\n", encoding="utf-8")
    found = config.check(config.load(file), File)
    assert found == File(version=1, items=[Item(name="ä", count=2)])


def test_every_mistake_is_said_with_its_place(file: Path) -> None:
    text = 'version: "1"\nitems:\n  - name: a\n    cuont: 3\n  - count: x\nsurprise: 1\n'
    said = problems(file, text)
    assert len(said) == 5
    assert said[0].startswith("F:1:1: version: should be a valid integer (found '1')")
    assert "F:4:5: items[0].cuont: unknown key; did you mean count?" in said
    assert "F:5:5: items[1].name: is required" in said
    assert any(line.startswith("F:5:5: items[1].count: ") for line in said)
    assert any(
        line.startswith("F:6:1: surprise: unknown key; known: even, items, rooms, version") for line in said
    )


def test_a_key_of_a_nested_mapping_gets_a_suggestion(file: Path) -> None:
    assert problems(file, "version: 1\nrooms:\n  a: {name: x, naem: y}\n") == [
        "F:3:16: rooms.a.naem: unknown key; did you mean name?"
    ]


def test_duplicate_keys_are_all_named(file: Path) -> None:
    assert problems(file, "version: 1\nversion: 2\nrooms:\n  a: {name: x}\n  a: {name: y}\n") == [
        "F:2:1: version: duplicate key; first on line 1",
        "F:5:3: rooms.a: duplicate key; first on line 4",
    ]


def test_a_validator_points_at_each_mistake_that_it_finds(file: Path) -> None:
    text = 'version: "1"\neven:\n  more: x\n  numbers: [2, 3, 4,\n    5]\n'
    assert problems(file, text) == [
        "F:1:1: version: should be a valid integer (found '1')",
        "F:3:3: even.more: nor is this",
        "F:4:16: even.numbers[1]: 3 is odd",
        "F:5:5: even.numbers[3]: 5 is odd",
    ]


def test_what_no_model_sees_is_refused_with_every_place(file: Path) -> None:
    file.write_text("version: 1\nrooms:\n  b: {name: x}\n  a: {name: y}\n")
    document = config.load(file)
    config.refuse(document, [])
    with pytest.raises(UsageError) as caught:
        config.refuse(
            document,
            [
                config.Mistake(("rooms", "a", "name"), "second"),
                config.Mistake(("rooms", "b", "count"), "first"),
                config.Mistake((), "of the whole"),
                config.Mistake(("rooms", "a", "name"), "second"),
            ],
        )
    assert caught.value.what.replace(str(file), "F").splitlines() == [
        "F:1:1: of the whole",
        "F:3:3: rooms.b.count: first",
        "F:4:7: rooms.a.name: second",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [("version: &a 1\n", "1:10"), ("version: 1\nitems: *x\n", "2:8"), ("a: &x [1]\nb: [*x,*x]\n", "1:4")],
)
def test_anchors_and_aliases_are_refused(file: Path, text: str, place: str) -> None:
    (line,) = problems(file, text)
    assert line == f"F:{place}: anchors and aliases are not allowed here"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\n\tx: 2\n", r"F:2:1: .+"),
        ("version: [1\n", r"F:2:1: .+"),
        ("version: 'x\n", r"F:2:1: .+"),
        ("version: 1: 2\n", r"F:1:11: .+"),
        ("version: 1\n---\nversion: 2\n", r"F:2:1: .+"),
        ("version: !!python/object/apply:os.system [id]\n", r"F:1:.+"),
        ("? [a]\n: 1\n", r"F:1:3: a key must be plain text"),
        ("version: !!int ''\n", r"F:1:10: .+"),
        ("version: !!int x\n", r"F:1:10: .+"),
        ("version: !!bool maybe\n", r"F:1:10: .+bool"),
        ("version: !!timestamp x\n", r"F:1:10: .+timestamp"),
        ("version: !!float ''\n", r"F:1:10: .+"),
        ("version: !what 1\n", r"F:1:10: .+"),
        ("version: 2026-13-45\n", r"F:1:10: .+"),
        (f"version: {'9' * 5000}\n", r"F:1:10: .+"),
        ("<<: {version: 1}\n", r"F:1:1: version: is required"),
        (b"version: \xff\n", r"F: not UTF-8 at byte 9"),
        (b"version: \x00\n", r"F: not valid YAML.+"),
        ("[" * 100_000, r"F:1:41: nested deeper than 40 levels"),
        ("{a: " * 5000, r"F:1:.+ nested deeper than 40 levels"),
        ("- " * 5000, r"F:1:81: nested deeper than 40 levels"),
        ("", r"F: version: is required"),
        ("# nothing\n", r"F: version: is required"),
        ("null\n", r"F:1:1: .+"),
        ("- 1\n- 2\n", r"F:1:1: should be .+"),
        ("just text\n", r"F:1:1: should be .+"),
    ],
)
def test_what_is_not_taken(file: Path, text: str | bytes, expected: str) -> None:
    started = time.monotonic()
    said = problems(file, text)
    assert re.fullmatch(expected, said[0]), said
    assert time.monotonic() - started < 5


def test_too_large(file: Path) -> None:
    assert problems(file, "#" * (config.MAX_BYTES + 1)) == [f"F: larger than {config.MAX_BYTES} bytes"]


def test_missing_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            config.load(path)


def test_a_byte_order_mark_is_taken(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfversion: 1\n")
    assert config.check(config.load(file), File).version == 1


def test_positions_of_nested_list_items(file: Path) -> None:
    file.write_text("a:\n- x\n-   - y\n    - z\nb: {c: [1,  2]}\n")
    document = config.load(file)
    where = {path: document.where(path).removeprefix(f"{file}:") for path in document.marks}
    assert where[("a", 0)] == "2:3"
    assert where[("a", 1, 0)] == "3:7"
    assert where[("a", 1, 1)] == "4:7"
    assert where[("b", "c")] == "5:5"
    assert where[("b", "c", 1)] == "5:13"
    # What has no place of its own gets its parent's.
    assert document.where(("a", 1, 1, "deeper")).endswith(":4:7")


def test_suggestions() -> None:
    assert config.suggest("linux-amd46", ["linux-amd64", "darwin-arm64"]) == "did you mean linux-amd64?"
    assert config.suggest("zzz", ["a", "b"]) == "known: a, b"
    assert config.suggest("zzz", [str(n) for n in range(9)]).endswith("6, 7, …")
    assert config.suggest("zzz", []) == ""


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{},&*!|>'\"%@#?~ \n\t0189.=<\\é"), max_size=40))
def test_any_text_is_a_document_or_a_usage_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.yml"
    file.write_text(text, encoding="utf-8")
    try:
        config.check(config.load(file), File)
    except UsageError as error:
        found = str(error)
    else:
        return
    assert str(file) in found
