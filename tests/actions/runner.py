"""Runs a workflow file as it is written: jobs by their needs, ``if``, matrices, called workflows.

A small part of GitHub Actions, on this machine and one job after the other. What it does not know is an
error and never left out: a key, a function, an action that nothing stands in for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import config, proc
from tests.actions.expressions import Scope, condition, fill
from tests.actions.functions import Function
from tests.actions.job import Job, JobRun
from tests.actions.shape import ancestors, check, combinations, declared, in_order, needs, together
from tests.actions.stand_ins import Place, UnsupportedError
from tests.actions.values import Strict, Value, from_yaml, number, text, truth

MAX_JOBS = 256
_WORKFLOW_KEYS = {"concurrency", "defaults", "env", "jobs", "name", "on", "permissions"}
_JOB_KEYS = {
    "defaults",
    "env",
    "if",
    "name",
    "needs",
    "outputs",
    "permissions",
    "runs-on",
    "steps",
    "strategy",
    "timeout-minutes",
}
_CALL_KEYS = {"if", "name", "needs", "permissions", "uses", "with"}


def _nothing(_name: str, _artifacts: Path) -> None:
    return None


def _no_environment(_name: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a run stands on. ``repository`` is cloned at its HEAD; everything is made below ``folder``.
    ``github`` adds to that context. ``environment`` gives a job, by the name that GitHub shows, further
    variables; ``before`` is called ahead of each job with its name and the folder of artifacts;
    ``other`` are artifacts of other runs by id; ``venv`` is linked into each job's clone, so that ``./inv``
    has nothing to install; ``seconds`` the most a job may take."""

    repository: Path
    folder: Path
    github: Mapping[str, Any] = field(default_factory=dict)
    environment: Callable[[str], Mapping[str, str]] = _no_environment
    before: Callable[[str, Path], None] = _nothing
    other: Mapping[str, Path] = field(default_factory=dict)
    venv: Path | None = None
    seconds: float = 3600

    @property
    def artifacts(self) -> Path:
        """Where a run keeps its artifacts, a folder each."""
        return self.folder / "artifacts"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished workflow. ``jobs`` are in the order in which they had their turn."""

    result: str
    outputs: Mapping[str, str]
    jobs: tuple[JobRun, ...]

    def job(self, name: str) -> JobRun:
        """The job that GitHub shows under that name."""
        (found,) = [job for job in self.jobs if job.name == name]
        return found

    @property
    def replaced(self) -> tuple[str, ...]:
        """Each action that something stood in for, as the file names it."""
        return tuple(dict.fromkeys(s.replaced for job in self.jobs for s in job.steps if s.replaced))


def run(setting: Setting, path: str, *, event: str, inputs: Mapping[str, str] | None = None) -> Run:
    """Run the workflow at ``path`` of the repository's HEAD, as ``event`` would start it."""
    github = Strict(
        {
            "event_name": event,
            "event": {},
            "ref": "refs/heads/main",
            "ref_name": "main",
            "repository": "owner/repository",
            "run_id": "1",
            "sha": _git(setting.repository, "rev-parse", "HEAD").strip(),
            "token": "no token",
            **{key: from_yaml(value) for key, value in setting.github.items()},
        }
    )
    setting.artifacts.mkdir(parents=True)
    return _Workflow(setting=setting, github=github).run(path, event, inputs or {})


def _git(repository: Path, *words: str) -> str:
    done = proc.run(["git", *words], env=proc.base_env(), cwd=repository, timeout=20, merge=False)
    assert done.ok, done.tail
    return done.stdout


@dataclass(kw_only=True)
class _Workflow:
    setting: Setting
    github: Strict
    prefix: str = ""
    inputs: Strict = field(default_factory=Strict)
    file: Mapping[str, Any] = field(default_factory=dict)
    jobs: list[JobRun] = field(default_factory=list)
    results: dict[str, dict[str, Value]] = field(default_factory=dict)

    def run(self, path: str, event: str, given: Mapping[str, Value]) -> Run:
        self.file = self._load(path)
        check(self.file, _WORKFLOW_KEYS, path)
        if "workflow" not in self.github:
            self.github["workflow"] = self.file.get("name", path)
        self.inputs = declared(self.file["on"], event, given)
        fill(self.file.get("concurrency"), self._scope("github", "inputs"))
        for key in in_order(self.file["jobs"]):
            self._job(key, self.file["jobs"][key])
        called = self.file["on"].get(event) if isinstance(self.file["on"], dict) else None
        asked = {name: one["value"] for name, one in ((called or {}).get("outputs") or {}).items()}
        scope = Scope(
            contexts={"github": self.github, "inputs": self.inputs, "jobs": Strict(self.results)},
        )
        return Run(
            result=together(one["result"] for one in self.results.values()),
            outputs={name: text(value) for name, value in fill(asked, scope).items()},
            jobs=tuple(self.jobs),
        )

    def _load(self, path: str) -> Mapping[str, Any]:
        copy = self.setting.folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        commit = text(self.github["sha"])
        copy.write_text(_git(self.setting.repository, "show", f"{commit}:{path}"), encoding="utf-8")
        data: Mapping[str, Any] = config.load(copy).data
        return data

    def _scope(self, *names: str, **more: Value) -> Scope:
        contexts = {"github": self.github, "inputs": self.inputs, **more}
        return Scope(contexts={name: contexts[name] for name in names})

    def _job(self, key: str, job: Mapping[str, Any]) -> None:
        check(job, _CALL_KEYS if "uses" in job else _JOB_KEYS, f"the job {key}")
        needed = Strict({name: self.results[name] for name in needs(job)})
        scope = self._scope("github", "inputs", "needs", needs=needed)
        before = [self.results[name]["result"] for name in ancestors(self.file["jobs"], key)]
        status: dict[str, Function] = {
            "success": lambda: all(result == "success" for result in before),
            "failure": lambda: "failure" in before,
            "always": lambda: True,
            "cancelled": lambda: False,
        }
        if not condition(job.get("if", True), Scope(contexts=scope.contexts, functions=status)):
            self.jobs.append(JobRun(key=self.prefix + key, name=self.prefix + key, result="skipped"))
            self.results[key] = {"result": "skipped", "outputs": {}}
        elif "uses" in job:
            self._call(key, job, scope)
        else:
            self._matrix(key, job, scope)

    def _call(self, key: str, job: Mapping[str, Any], scope: Scope) -> None:
        if not str(job["uses"]).startswith("./"):
            raise UnsupportedError(f"a workflow of another repository: {job['uses']}")
        called = _Workflow(setting=self.setting, github=self.github, prefix=f"{self.prefix}{key}/")
        done = called.run(str(job["uses"])[2:], "workflow_call", fill(job.get("with", {}), scope))
        self.jobs += done.jobs
        self.results[key] = {"result": done.result, "outputs": dict(done.outputs)}

    def _matrix(self, key: str, job: Mapping[str, Any], scope: Scope) -> None:
        strategy = fill(job.get("strategy", {}), scope)
        check(strategy, {"fail-fast", "matrix", "max-parallel"}, f"the strategy of {key}")
        rows = combinations(strategy["matrix"]) if strategy else [{}]
        if not 0 < len(rows) <= MAX_JOBS:
            raise UnsupportedError(f"the matrix of {key} makes {len(rows)} jobs")
        made: list[JobRun] = []
        for index, row in enumerate(rows):
            stop = truth(strategy.get("fail-fast", True)) and any(one.result == "failure" for one in made)
            place = Strict({"fail-fast": strategy.get("fail-fast", True), "job-index": float(index)})
            contexts = {**scope.contexts, "matrix": Strict(row), "strategy": place}
            name = self.prefix + text(fill(job.get("name", key), Scope(contexts=contexts)))
            if stop:
                made.append(JobRun(key=self.prefix + key, name=name, result="cancelled"))
            else:
                made.append(self._one(key, name, job, contexts))
        self.jobs += made
        outputs = {name: value for one in made for name, value in one.outputs.items()}
        self.results[key] = {"result": together(one.result for one in made), "outputs": outputs}

    def _one(self, key: str, name: str, job: Mapping[str, Any], contexts: Mapping[str, Value]) -> JobRun:
        folder = self.setting.folder / "jobs" / name.replace("/", "_")
        workspace = folder / "work"
        workspace.mkdir(parents=True)
        self.setting.before(name, self.setting.artifacts)
        outer = Scope(contexts={**contexts, "github": Strict(self.github | {"workspace": str(workspace)})})
        env = {**self.file.get("env", {}), **job.get("env", {})}
        defaults = {
            **self.file.get("defaults", {}).get("run", {}),
            **job.get("defaults", {}).get("run", {}),
        }
        minutes = number(fill(job.get("timeout-minutes", 360), outer))
        place = Place(
            workspace=workspace,
            artifacts=self.setting.artifacts,
            other=self.setting.other,
            repository=self.setting.repository,
            commit=text(self.github["sha"]),
            venv=self.setting.venv,
        )
        steps = Job(
            folder=folder,
            place=place,
            contexts={**outer.contexts, "github": Strict({**outer.contexts["github"], "job": key})},
            env={word: text(value) for word, value in fill(env, outer).items()},
            defaults=defaults,
            environment=self.setting.environment(name),
            seconds=min(self.setting.seconds, minutes * 60),
        )
        labels = fill(job["runs-on"], outer)
        steps.run(job["steps"])
        outputs = fill(job.get("outputs", {}), steps.scope(steps.env))
        return JobRun(
            key=self.prefix + key,
            name=name,
            result=steps.status,
            labels=labels,
            outputs={word: text(value) for word, value in outputs.items()},
            steps=tuple(steps.done),
            summary=steps.summary,
            folder=folder,
        )
