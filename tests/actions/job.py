"""One job: its steps in order, each in a shell as GitHub would start it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import proc
from tests.actions import commands
from tests.actions.commands import StepError
from tests.actions.expressions import Scope, condition, fill
from tests.actions.functions import Function
from tests.actions.stand_ins import STAND_INS, Place, UnsupportedError
from tests.actions.values import Strict, Value, number, text, truth

SHELLS = {
    "": ["bash", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "sh": ["sh", "-e"],
}
_STEP_KEYS = {
    "continue-on-error",
    "env",
    "id",
    "if",
    "name",
    "run",
    "shell",
    "timeout-minutes",
    "uses",
    "with",
    "working-directory",
}


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """A step that had its turn. ``code`` is None when nothing ran; ``outcome`` is success, failure or
    skipped, and ``conclusion`` the same after continue-on-error."""

    name: str
    code: int | None
    outcome: str
    conclusion: str
    output: str = ""
    replaced: str = ""


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """A job that had its turn. ``key`` is its path of job ids (``validate/cell``), ``name`` what GitHub
    shows; ``result`` is success, failure, cancelled or skipped."""

    key: str
    name: str
    result: str
    labels: Value = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepRun, ...] = ()
    summary: str = ""
    folder: Path | None = None

    def step(self, name: str) -> StepRun:
        """The step of that name."""
        (found,) = [step for step in self.steps if step.name == name]
        return found


def hash_files(workspace: Path, *patterns: Value) -> str:
    """GitHub's hashFiles: '' when nothing matches."""
    found = sorted({path for one in patterns for path in workspace.glob(text(one)) if path.is_file()})
    digests = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in found)
    return hashlib.sha256(digests).hexdigest() if found else ""


@dataclass(kw_only=True)
class Job:
    """A job's steps with what they see. ``contexts`` are those of the job; ``defaults`` of its shell and
    folder; ``environment`` what the test adds to the machine's own."""

    folder: Path
    place: Place
    contexts: Mapping[str, Value]
    env: Mapping[str, str]
    defaults: Mapping[str, Value]
    environment: Mapping[str, str]
    seconds: float
    status: str = "success"
    done: list[StepRun] = field(default_factory=list)
    results: dict[str, Value] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Every step, or the reason that it was skipped for."""
        for name in ("home", "temp"):
            (self.folder / name).mkdir(parents=True)
        for index, step in enumerate(steps):
            if unknown := set(step) - _STEP_KEYS:
                raise UnsupportedError(f"keys {sorted(unknown)} of a step")
            self._one(index, step)

    def scope(self, env: Mapping[str, str], functions: Mapping[str, Function] | None = None) -> Scope:
        """What an expression of a step may name."""
        machine = {"os": platform.system(), "arch": "X64", "temp": str(self.folder / "temp")}
        contexts = {
            **self.contexts,
            "env": dict(env),
            "job": Strict(status=self.status),
            "runner": Strict(machine),
            "steps": Strict(self.results),
        }
        hashes = {"hashFiles": lambda *patterns: hash_files(self.place.workspace, *patterns)}
        return Scope(contexts=contexts, functions={**hashes, **(functions or {})})

    def _one(self, index: int, step: dict[str, Any]) -> None:
        status: dict[str, Callable[[], bool]] = {
            "success": lambda: self.status == "success",
            "failure": lambda: self.status == "failure",
            "always": lambda: True,
            "cancelled": lambda: False,
        }
        outer = {**self.env, **self.added}
        step_id = str(step.get("id", ""))
        if not condition(step.get("if", True), self.scope(outer, status)):
            ran = StepRun(name=str(step.get("name", "")), code=None, outcome="skipped", conclusion="skipped")
            outputs: dict[str, str] = {}
        else:
            scope = self.scope(outer)
            env = {**outer, **{key: text(value) for key, value in fill(step.get("env", {}), scope).items()}}
            ran, outputs = self._act(index, step, env)
            if ran.conclusion == "failure":
                self.status = "failure"
        self.done.append(ran)
        if step_id:
            self.results[step_id] = {
                "outputs": outputs,
                "outcome": ran.outcome,
                "conclusion": ran.conclusion,
            }

    def _act(
        self, index: int, step: dict[str, Any], env: Mapping[str, str]
    ) -> tuple[StepRun, dict[str, str]]:
        scope = self.scope(env)
        if ("run" in step) == ("uses" in step):
            raise UnsupportedError(f"a step with both or none of run and uses: {sorted(step)}")
        files = {name: self.folder / f"{index}.{name}" for name in ("output", "env", "path", "summary")}
        for path in files.values():
            path.touch()
        outputs: dict[str, str] = {}
        try:
            code, said = self._run(index, step, env, files) if "run" in step else self._use(step, scope)
            # What a step said before it failed counts.
            outputs = commands.outputs(files["output"])
            self.added |= commands.assignments(files["env"].read_text(encoding="utf-8"))
            self.summary += commands.summary(files["summary"])
        except StepError as error:
            code, said = 1, str(error)
        if files["path"].stat().st_size:
            raise UnsupportedError("GITHUB_PATH")
        outcome = "failure" if code else "success"
        forgiven = truth(fill(step.get("continue-on-error", False), scope))
        ran = StepRun(
            name=text(fill(step.get("name", step.get("uses", "")), scope)),
            code=code,
            outcome=outcome,
            conclusion="success" if forgiven else outcome,
            output=said,
            replaced=str(step.get("uses", "")),
        )
        return ran, outputs

    def _use(self, step: Mapping[str, Any], scope: Scope) -> tuple[int, str]:
        action = str(step["uses"]).partition("@")[0]
        if action not in STAND_INS:
            raise UnsupportedError(f"nothing stands in for {step['uses']}")
        return 0, STAND_INS[action](self.place, fill(step.get("with", {}), scope))

    def _run(
        self, index: int, step: Mapping[str, Any], env: Mapping[str, str], files: Mapping[str, Path]
    ) -> tuple[int, str]:
        scope = self.scope(env)
        shell = text(fill(step.get("shell", self.defaults.get("shell", "")), scope))
        if shell not in SHELLS:
            raise UnsupportedError(f"shell {shell!r}")
        script = self.folder / "temp" / f"{index}.sh"
        script.write_text(text(fill(step["run"], scope)), encoding="utf-8")
        where = text(fill(step.get("working-directory", self.defaults.get("working-directory", ".")), scope))
        minutes = number(fill(step.get("timeout-minutes", self.seconds / 60), scope))
        done = proc.run(
            [*SHELLS[shell], str(script)],
            env={**self._machine(files), **env},
            cwd=self.place.workspace / where,
            timeout=min(self.seconds, minutes * 60),
        )
        return (1 if done.timed_out else done.returncode), done.stdout

    def _machine(self, files: Mapping[str, Path]) -> dict[str, str]:
        github: Mapping[str, Value] = self.contexts["github"]
        event = self.folder / "event.json"
        event.write_text(json.dumps(github.get("event", {})), encoding="utf-8")
        named = {f"GITHUB_{key.upper()}": text(value) for key, value in github.items() if key not in _NOT_SET}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temp"),
            "LANG": "C.UTF-8",
            **named,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(files["output"]),
            "GITHUB_ENV": str(files["env"]),
            "GITHUB_PATH": str(files["path"]),
            "GITHUB_STEP_SUMMARY": str(files["summary"]),
            "RUNNER_OS": platform.system(),
            "RUNNER_TEMP": str(self.folder / "temp"),
            **self.environment,
        }


# Of the github context, what no step finds in its environment.
_NOT_SET = {"event", "token"}
