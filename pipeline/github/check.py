"""The check run of a series on a commit: its conclusion, its text, and annotations of lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pydantic import Field

from pipeline.github.api import Api, RejectedError
from pipeline.github.remarks import Annotation, Key
from pipeline.web.reply import Answer

# GitHub's number for one request.
BATCH = 50
LIMITS = (65_000, 32_000, 16_000, 4_000)
# Only a pass is green. GitHub counts neutral and skipped as passed where a check is required, so neither is
# used; action_required holds a merge up without saying that the patch is at fault.
CONCLUSIONS: Mapping[str, str] = {
    "pass": "success",
    "fail": "failure",
    "unreadable": "failure",
    "interrupted": "cancelled",
}
OTHERWISE = "action_required"


class _App(Answer):
    slug: str = ""


class Run(Answer):
    """A check run as GitHub gives it."""

    id: int
    external_id: str | None = None
    html_url: str | None = None
    app: _App | None = None


class _Runs(Answer):
    runs: list[Run] = Field(alias="check_runs")


class _Shown(Answer):
    path: str
    start_line: int
    end_line: int
    annotation_level: str
    title: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is to be shown. ``summary`` and ``text`` give Markdown of at most that many characters; ``key``
    tells the check run from others of its name; ``details_url`` is '' for none."""

    key: str
    verdict: str
    title: str
    summary: Callable[[int], str]
    text: Callable[[int], str]
    annotations: tuple[Annotation, ...] = ()
    details_url: str = ""

    @property
    def name(self) -> str:
        """The name that GitHub shows, and that a rule can require."""
        return f"gopatch / {self.key}"

    @property
    def what(self) -> str:
        """As messages name it."""
        return f"the check {self.name}"

    @property
    def external_id(self) -> str:
        """The mark of a check run that this made: a workflow's jobs are check runs, too, and can have any
        name."""
        return f"gopatch: {self.key}"

    @property
    def conclusion(self) -> str:
        """GitHub's word for the verdict."""
        return CONCLUSIONS.get(self.verdict, OTHERWISE)

    def body(self, limit: int, annotations: Sequence[Annotation]) -> dict[str, Any]:
        """The request to make or update it."""
        return {
            "name": self.name,
            "external_id": self.external_id,
            "status": "completed",
            "conclusion": self.conclusion,
            **({"details_url": self.details_url} if self.details_url else {}),
            "output": {
                "title": self.title,
                "summary": self.summary(limit),
                "text": self.text(limit),
                "annotations": [one.model_dump() for one in annotations],
            },
        }


@dataclass(frozen=True, kw_only=True)
class Place:
    """The commit of the check, and who makes it: ``login`` is the token's."""

    api: Api
    repository: str
    sha: str
    login: str

    @property
    def path(self) -> str:
        """Where check runs are."""
        return f"/repos/{self.repository}/check-runs"


def put(place: Place, check: Check) -> tuple[str, Run]:
    """Make the check run, or update it: there is one that counts for each commit and name. Returns
    ``created`` or ``updated``, and the run.

    GitHub adds annotations to those that are there and takes none away. So a run with annotations that no
    longer hold is not updated but followed by a new one: GitHub shows the newest of a name.
    """
    found = _find(place, check)
    if found is None:
        return "created", _complete(_Sending(place, check))
    shown = _shown(place, check, found)
    if shown <= {one.key for one in check.annotations}:
        return "updated", _complete(_Sending(place, check, run=found, shown=shown))
    return "created", _complete(_Sending(place, check, older=found.id))


@dataclass
class _Sending:
    """A check run on its way: ``run`` once there is one, which is newer than ``older``, and what is ``shown``
    of its annotations."""

    place: Place
    check: Check
    run: Run | None = None
    older: int = 0
    shown: set[Key] = field(default_factory=set)

    def send(self, limit: int, annotations: Sequence[Annotation]) -> Run:
        """One request, until it is answered."""
        api, check, path = self.place.api, self.check, self.place.path

        def action(tries: int) -> Run:
            if tries:  # the last try may have been carried out though its answer was lost
                self.run = self.run or _find(self.place, check, self.older)
                self.shown = _shown(self.place, check, self.run) if self.run else set()
            body = check.body(limit, [one for one in annotations if one.key not in self.shown])
            if self.run is None:
                return api.once("POST", path, Run, check.what, {**body, "head_sha": self.place.sha})
            return api.once("PATCH", f"{path}/{self.run.id}", Run, check.what, body)

        self.run = api.persist(check.what, action)
        return self.run


def _complete(sending: _Sending) -> Run:
    """Send all of it, shorter when it is too long, and without annotations that GitHub does not take."""
    left = [one for one in sending.check.annotations if one.key not in sending.shown]
    limits, sent = list(LIMITS), None
    while sent is None or left:
        batch, rest = left[:BATCH], left[BATCH:]
        try:
            sent = sending.send(limits[0], batch)
            left = rest
        except RejectedError as error:
            if error.long and len(limits) > 1:
                limits.pop(0)
            elif batch:
                left = []
            else:
                raise
    return sent


def _find(place: Place, check: Check, older: int = 0) -> Run | None:
    """The newest check run that this made on the commit since ``older``."""
    name = quote(check.name, safe="")
    path = f"/repos/{place.repository}/commits/{place.sha}/check-runs"
    # All and not the latest: a job of the same name would hide it.
    pages = place.api.pages(f"{path}?check_name={name}&filter=all&per_page=100", _Runs, check.what)
    mine = [
        one
        for page in pages
        for one in page.runs
        if one.external_id == check.external_id
        and one.app is not None
        and f"{one.app.slug}[bot]" == place.login
        and one.id > older
    ]
    return max(mine, key=lambda one: one.id, default=None)


def _shown(place: Place, check: Check, run: Run) -> set[Key]:
    pages = place.api.pages(f"{place.path}/{run.id}/annotations?per_page=100", list[_Shown], check.what)
    return {
        (one.path, one.start_line, one.end_line, one.annotation_level, one.title or "", one.message or "")
        for page in pages
        for one in page
    }
