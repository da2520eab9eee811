"""The ledger: what is read back is what was written, and nothing else is believed."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import UsageError
from pipeline.ledger import Ledger, read
from pipeline.records import CellEnded, GateResult, PairMeasured, Record, RunEnded, RunResumed, StageEnded

PAIR = PairMeasured(
    cell="linux-amd64",
    package="runtime",
    benchmark="BenchmarkÄ",
    round=3,
    order=["patched", "base"],
    size=12,
    sha256="0" * 64,
    seconds=0.5,
)
RECORDS: list[Record] = [
    RunResumed(),
    StageEnded(stage="fetch", seconds=1.25),
    GateResult(
        gate="test", cell="c", subject="runtime.TestX", status="fail", detail='a "b"\n\u2028\x00\u202e'
    ),
    PAIR,
    CellEnded(cell="c", goos="linux", goarch="amd64", exercise="missing", reason=""),
    RunEnded(seconds=2, failure="no", failure_code=4),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a run" / "ledger.jsonl"


def written(path: Path) -> Ledger:
    ledger = Ledger(path)
    for record in RECORDS:
        ledger.append(record)
    return ledger


def test_reads_back_what_was_appended(path: Path) -> None:
    ledger = written(path)
    assert list(read(path)) == RECORDS == ledger.records
    assert Ledger(path).records == RECORDS


def test_only_what_a_resumed_run_does_not_make_again_waits_for_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: on_disk.append(path.read_bytes().splitlines()[-1]))
    written(path)
    kinds = [json.loads(line)["kind"] for line in on_disk]
    assert kinds == ["resumed", "pair", "cell", "end"]


def test_one_ascii_line_a_record_with_its_time(path: Path) -> None:
    written(path)
    lines = path.read_bytes().splitlines()
    assert len(lines) == len(RECORDS)
    for line in lines:
        assert line.isascii()
        assert json.loads(line)["at"].endswith("Z")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_that_was_cut_is_dropped_and_cut_off(path: Path, cut: int) -> None:
    written(path)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    assert list(read(path)) == RECORDS[:-1]
    again = Ledger(path)
    assert again.records == RECORDS[:-1]
    again.append(RunResumed())
    assert list(read(path)) == [*RECORDS[:-1], RunResumed()]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"null",
        b"[]",
        b"[1, 2]",
        b'"text"',
        b"17",
        b"{}",
        b'{"kind": "nonsense"}',
        b'{"kind": "resumed", "surprise": 1}',
        b'{"kind": "stage", "stage": "x"}',
        b'{"kind": "stage", "stage": "x", "seconds": "long"}',
        b'{"kind": "cell", "cell": "c", "goos": "l", "goarch": "a", "exercise": "great", "reason": ""}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"kind": "stage", "stage": "x", "seconds": ' + b"9" * 5000 + b"x}",
    ],
)
def test_a_line_that_is_no_record_is_named(path: Path, line: bytes) -> None:
    written(path)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(UsageError, match=rf"ledger\.jsonl:{len(RECORDS) + 1}: not a ledger record"):
        list(read(path))
    with pytest.raises(UsageError):
        Ledger(path)


def test_nothing_is_rewritten_when_a_ledger_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"garbage\nhalf")
    with pytest.raises(UsageError):
        Ledger(path)
    assert path.read_bytes() == b"garbage\nhalf"


def test_records_refuse_unknown_fields_and_changes() -> None:
    with pytest.raises(ValidationError):
        StageEnded.model_validate({"stage": "x", "seconds": 1, "nonsense": 2})
    with pytest.raises(ValidationError):
        PAIR.round = 4  # type: ignore[misc]


def test_an_empty_ledger_has_no_records(path: Path) -> None:
    Ledger(path)
    assert Ledger(path).records == []


def test_appending_from_threads_mixes_no_lines(path: Path) -> None:
    ledger = Ledger(path)

    def work(name: str) -> None:
        for number in range(25):
            ledger.append(StageEnded(stage=name * 300, seconds=number))

    threads = [threading.Thread(target=work, args=(str(index),)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(read(path))
    assert found == ledger.records
    assert len(found) == 200
    for index in range(8):
        mine = [r.seconds for r in found if isinstance(r, StageEnded) and r.stage[0] == str(index)]
        assert mine == list(range(25))
