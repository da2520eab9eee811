"""One file from one address: whole and checked, or one clear error.

What arrives is kept as ``<name>.part`` and goes on where it ended, in this call or in a later one. Only what
has been checked gets the final name. Messages show no query, no credentials and nothing of a proxy.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import HostError, InterruptedRunError, PipelineError
from pipeline.store import file_sha256
from pipeline.web import answers, sending
from pipeline.web.address import is_local
from pipeline.web.answers import CHECK, LaterError, Patience, Wanted

if TYPE_CHECKING:
    import requests

_HEAD = 64


def fetch(wanted: Wanted, target: Path, patience: Patience | None = None) -> None:
    """Make ``target`` the file at ``wanted.address``.

    UsageError for what is not there; HostError for what cannot be reached or is not what it should be, of
    which nothing is kept.
    """
    part = target.with_name(f"{target.name}.part")
    if is_local(wanted.address):
        _copy(wanted, part)
    else:
        transfer = _Transfer(wanted, part, patience or Patience())
        transfer.run()
        if transfer.resumed and not _matches(wanted, part):
            transfer.drop()  # the earlier piece may have been another file's
            transfer.run()
        transfer.validator.unlink(missing_ok=True)
    if not _matches(wanted, part):
        found = file_sha256(part)
        part.unlink()
        raise HostError(
            f"{wanted.what} from {wanted.place} has the sha256 {found}, not {wanted.sha256}",
            meaning="the mirror or something on the way served an altered or damaged file",
            hint=f"nothing was kept; run again, or {CHECK}",
        )
    part.replace(target)


def read(wanted: Wanted, patience: Patience | None = None) -> bytes:
    """The bytes at ``wanted.address``, for what is small and wanted once; errors as of ``fetch``."""
    with tempfile.TemporaryDirectory(prefix="gopatch-") as folder:
        target = Path(folder) / "answer"
        fetch(wanted, target, patience)
        return target.read_bytes()


def _matches(wanted: Wanted, part: Path) -> bool:
    return not wanted.sha256 or file_sha256(part) == wanted.sha256


def _copy(wanted: Wanted, part: Path) -> None:
    path = Path(wanted.address)
    if not path.is_file():
        answers.missing(wanted, "no such file")
    found = path.stat().st_size
    if found > wanted.limit or wanted.size not in {None, found}:
        answers.wrong_size(wanted)
    with path.open("rb") as stream:
        answers.check_head(wanted, stream.read(_HEAD))
    shutil.copyfile(path, part)


class _Transfer:
    """The tries for one file. ``resumed`` is that some of it came from an earlier try."""

    def __init__(self, wanted: Wanted, part: Path, patience: Patience) -> None:
        self.wanted, self.part, self.patience = wanted, part, patience
        self.validator = part.with_name(f"{part.name}.etag")
        self.resumed = False
        self._end = time.monotonic() + patience.total

    def drop(self) -> None:
        """Forget what arrived."""
        self.part.unlink(missing_ok=True)
        self.validator.unlink(missing_ok=True)
        self.resumed = False

    def run(self) -> None:
        """Have the whole body in ``part``."""
        last = LaterError("the time is up")
        tries = 0
        with sending.session(self.wanted.accept) as session:
            while tries < self.patience.tries and time.monotonic() < self._end:
                if tries:
                    self._pause(last.wait, tries)
                tries += 1
                try:
                    return self._try(session)
                except LaterError as error:
                    last = error
                    self._heed(error)
                except PipelineError as error:
                    if not isinstance(error, InterruptedRunError):
                        self.drop()
                    raise
        raise HostError(
            f"{self.wanted.what} could not be fetched from {self.wanted.place}: {last}",
            meaning=f"given up after {tries} {'try' if tries == 1 else 'tries'}; "
            "the network or the other side is down, or too slow",
            hint=self.wanted.words.again,
        )

    def _heed(self, error: LaterError) -> None:
        """HostError where the server asks for a pause that is not waited for; what has arrived stays."""
        asked = error.wait
        if asked and asked > min(self.patience.longest_pause, self._end - time.monotonic()):
            raise HostError(
                f"{self.wanted.what} could not be fetched from {self.wanted.place}: {error}",
                meaning=f"it takes more in {answers.about(asked)}, which is not waited for",
                hint=self.wanted.words.again,
            ) from error

    def _pause(self, asked: float | None, tries: int) -> None:
        seconds = self.patience.pause * 2 ** (tries - 1) if asked is None else asked
        sending.pause(min(seconds, self.patience.longest_pause, self._end - time.monotonic()))

    def _try(self, session: requests.Session) -> None:
        have = self.part.stat().st_size if self.part.is_file() else 0
        etag = self._etag()
        if have and not (self.wanted.sha256 or etag):
            have = 0  # nothing would tell whether the rest belongs to it
        if have == self.wanted.size:
            self.resumed = True
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and etag:
            headers["If-Range"] = etag
        answer = sending.send(session, self.wanted, self.patience, headers=headers)
        with contextlib.closing(answer) as response:
            if response.status_code == 416:
                self.drop()
                raise LaterError("what had arrived does not fit what is there now (416)", 0.0)
            answers.check_status(
                self.wanted, response.status_code, response.headers, self.patience.longest_pause
            )
            if response.status_code == 206:
                self._check_range(response, have, etag)
                self.resumed = True
            else:
                have = 0
                self.drop()
            self._receive(response, have)

    def _etag(self) -> str:
        """The strong validator under which ``part`` came from this very address, or ''."""
        try:
            address, etag = self.validator.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError):
            return ""
        return etag if address == self.wanted.place else ""

    def _check_range(self, response: requests.Response, have: int, etag: str) -> None:
        """A piece that is not the one asked for, or another file's, is no use: begin again."""
        given = response.headers.get("Content-Range", "")
        total = given.rpartition("/")[2]
        fits = have > 0 and given.startswith(f"bytes {have}-")
        if self.wanted.size is not None and total.isdigit() and int(total) != self.wanted.size:
            fits = False
        if not fits or (etag and response.headers.get("ETag", etag) != etag):
            self.drop()
            raise LaterError("the file changed while it was fetched", 0.0)

    def _receive(self, response: requests.Response, have: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else self.wanted.size
        size = self.wanted.size
        if not have:
            answers.check_type(self.wanted, response.headers.get("Content-Type", ""))
        if total is not None and (total > self.wanted.limit or (size is not None and total != size)):
            answers.wrong_size(self.wanted)
        etag = response.headers.get("ETag", "")
        if etag.startswith('"') and "\n" not in etag:
            self.validator.write_text(f"{self.wanted.place}\n{etag}", encoding="utf-8")
        arriving = sending.chunks(response, self.wanted, self.patience, self._end)
        with self.part.open("ab" if have else "wb") as out:
            for chunk in _settled(arriving, have):
                if out.tell() == 0:
                    answers.check_head(self.wanted, chunk)
                out.write(chunk)
                if out.tell() > (self.wanted.limit if size is None else size):
                    answers.wrong_size(self.wanted)
            have = out.tell()
        if total is not None and have < total:
            raise LaterError(f"the connection ended after {have} of {total} bytes")


def _settled(chunks: Iterator[bytes], have: int) -> Iterator[bytes]:
    """The chunks, of which the first of a file is long enough to tell what the file is."""
    head = b""
    for chunk in chunks:
        if have or len(head) >= _HEAD:
            yield chunk
            continue
        head += chunk
        if len(head) >= _HEAD:
            yield head
    if 0 < len(head) < _HEAD:
        yield head
