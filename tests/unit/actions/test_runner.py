"""The runner of workflows: exit codes, conditions and outputs behave as GitHub documents them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from tests.actions.commands import StepError, assignments
from tests.actions.runner import Run, Setting, run
from tests.actions.shape import combinations, in_order
from tests.actions.stand_ins import UnsupportedError
from tests.actions.values import ExpressionError
from tests.unit.contributor import Repository

pytestmark = pytest.mark.usefixtures("processes")
Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Commit a workflow (and others, by path) and run it."""

    def begin(
        text: str,
        *,
        event: str = "push",
        inputs: Mapping[str, str] | None = None,
        others: Mapping[str, str] | None = None,
        **setting: Any,
    ) -> Run:
        repository = Repository(tmp_path / "repository")
        repository.commit({"main.yml": text, **(others or {})}, "workflows")
        made = Setting(repository=repository.path, folder=tmp_path / "run", **setting)
        return run(made, "main.yml", event=event, inputs=inputs)

    return begin


def workflow(*steps: str, job: str = "") -> str:
    """A workflow with one job; each step is flow YAML."""
    lines = "".join(f"      - {step}\n" for step in steps)
    return f"on: push\njobs:\n  one:\n    runs-on: x\n{job}    steps:\n{lines}"


def outcomes(done: Run, job: str = "one") -> list[str]:
    """The outcome of each step."""
    return [step.outcome for step in done.job(job).steps]


def test_a_failed_step_ends_what_does_not_ask_for_failures(start: Start) -> None:
    done = start(
        workflow(
            "run: exit 3",
            "run: echo never",
            "{run: echo always, if: always()}",
            "{run: echo failed, if: failure()}",
            "{run: echo fine, if: success()}",
            "{run: echo no, if: 'always() && false'}",
        )
    )
    assert outcomes(done) == ["failure", "skipped", "success", "success", "skipped", "skipped"]
    assert done.result == "failure"
    assert done.job("one").steps[0].code == 3


def test_continue_on_error_forgives_and_remembers(start: Start) -> None:
    done = start(
        workflow(
            "{id: a, run: exit 1, continue-on-error: true}",
            '{run: "test ${{ steps.a.outcome }}-${{ steps.a.conclusion }} = failure-success"}',
        )
    )
    assert outcomes(done) == ["failure", "success"]
    assert done.result == "success"


@pytest.mark.parametrize(
    ("shell", "script", "code"),
    [
        ("bash", "false | true; echo on", 1),  # pipefail, and -e
        ("", "false | true; echo on", 0),  # without a shell named: bash -e alone
        ("", "false; echo on", 1),
        ("bash", 'test "$nothing" = ""', 0),  # no -u
        ("sh", "false; echo on", 1),
        ("bash", "shopt -q login_shell", 1),
    ],
)
def test_shells_have_githubs_flags(start: Start, shell: str, script: str, code: int) -> None:
    named = f", shell: {shell}" if shell else ""
    done = start(workflow(f"{{run: {json.dumps(script)}{named}}}"))
    assert done.job("one").steps[0].code == code


def test_defaults_of_shell_and_folder(start: Start) -> None:
    done = start(
        "on: push\ndefaults: {run: {shell: bash}}\njobs:\n  one:\n    runs-on: x\n"
        "    defaults: {run: {working-directory: below}}\n    steps:\n"
        "      - {run: mkdir below, working-directory: .}\n"
        "      - {run: 'basename \"$PWD\"; false | true'}\n"
        "      - {run: 'basename \"$PWD\"', shell: sh, working-directory: ., if: always()}\n"
    )
    first, second, third = done.job("one").steps
    assert (first.code, second.code, third.code) == (0, 1, 0)
    assert (second.output, third.output) == ("below\n", "work\n")


def test_the_nearest_environment_wins(start: Start) -> None:
    show = 'run: echo "$A $B $C"'
    done = start(
        "on: push\nenv: {A: w, B: w, C: w}\njobs:\n  one:\n    runs-on: x\n    env: {B: j, C: j}\n"
        f"    steps:\n      - {{{show}, env: {{C: s}}}}\n      - {show}\n"
        '      - run: echo "B=later" >>"$GITHUB_ENV"\n'
        f"      - {show}\n"
        "      - {run: 'echo ${{ env.B }}-${{ env.C }}', env: {C: own}}\n"
    )
    said = [step.output.strip() for step in done.job("one").steps]
    assert said == ["w j s", "w j j", "", "w later j", "later-own"]


def test_the_machine_is_empty(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_TESTS", "x")
    done = start(
        workflow(
            'run: ls -A "$HOME"; echo "${SECRET_OF_THE_TESTS-none} $GITHUB_ACTIONS $CI $GIVEN"',
            'run: test "$TMPDIR" = "$RUNNER_TEMP" -a "$PWD" = "$GITHUB_WORKSPACE" -a -z "${GITHUB_TOKEN-}"',
        ),
        environment=lambda name: {"GIVEN": f"to {name}"},
    )
    assert done.job("one").steps[0].output == "none true true to one\n"
    assert done.result == "success"


def test_outputs_of_steps_and_jobs(start: Start) -> None:
    done = start(
        "on: push\njobs:\n"
        "  one:\n    runs-on: x\n"
        "    outputs: {got: '${{ steps.a.outputs.x }}', none: '${{ steps.a.outputs.y }}'}\n"
        '    steps:\n      - {id: a, run: \'printf "x=1\\nm<<E\\na\\nb\\nE\\n" >>"$GITHUB_OUTPUT"\'}\n'
        "      - {run: 'echo \"$M\"', env: {M: '${{ steps.a.outputs.m }}'}}\n"
        "  two:\n    runs-on: x\n    needs: one\n    steps:\n"
        "      - {run: 'echo \"$X-${{ needs.one.result }}\"', env: {X: '${{ needs.one.outputs.got }}'}}\n"
    )
    assert done.job("one").outputs == {"got": "1", "none": ""}
    assert done.job("one").steps[1].output == "a\nb\n"
    assert done.job("two").steps[0].output == "1-success\n"


def test_what_a_step_wrote_before_it_failed_counts(start: Start) -> None:
    done = start(
        workflow(
            "{id: a, run: 'echo code=5 >>\"$GITHUB_OUTPUT\"; exit 5'}",
            "{run: 'exit ${{ steps.a.outputs.code }}', if: always()}",
            job="    outputs: {code: '${{ steps.a.outputs.code }}'}\n",
        )
    )
    assert [step.code for step in done.job("one").steps] == [5, 5]
    assert done.job("one").outputs == {"code": "5"}


def test_an_output_that_cannot_be_read_fails_the_step(start: Start) -> None:
    done = start(workflow('run: echo "no sign of equality" >>"$GITHUB_OUTPUT"'))
    assert done.result == "failure"
    assert "Invalid format" in done.job("one").steps[0].output


@pytest.mark.parametrize("text", ["x", "=x", "a<<E\nb", "a<<\nb\n"])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(StepError):
        assignments(text)


def test_assignments() -> None:
    assert assignments("a=b=c\n\nb<<E\n1\n\n2\nE\nc=x<<y\n") == {"a": "b=c", "b": "1\n\n2", "c": "x<<y"}


def test_the_summary_is_kept_up_to_its_limit(start: Start) -> None:
    done = start(
        workflow(
            'run: echo "# one" >>"$GITHUB_STEP_SUMMARY"',
            'run: head -c 1048577 /dev/zero >>"$GITHUB_STEP_SUMMARY"',
        )
    )
    assert done.job("one").summary == "# one\n"
    assert outcomes(done) == ["success", "failure"]


CHAIN = (
    "on: push\njobs:\n  c:\n    runs-on: x\n    needs: b\n    steps: [{run: 'true'}]\n"
    "  b:\n    runs-on: x\n    needs: [a]\n    if: IF\n    steps: [{run: 'true'}]\n"
    "  a:\n    runs-on: x\n    if: A\n    steps: [{run: 'exit CODE'}]\n"
)


@pytest.mark.parametrize(
    ("first", "code", "second", "results"),
    [
        ("true", "0", "true", ["success", "success", "success"]),
        ("true", "1", "true", ["failure", "skipped", "skipped"]),
        # A job counts what its needs need, too.
        ("true", "1", "always()", ["failure", "success", "skipped"]),
        ("true", "1", "failure()", ["failure", "success", "skipped"]),
        ("true", "0", "failure()", ["success", "skipped", "skipped"]),
        ("false", "0", "true", ["skipped", "skipped", "skipped"]),
        ("false", "0", "always()", ["skipped", "success", "skipped"]),
        ("false", "0", "needs.a.result == 'skipped'", ["skipped", "skipped", "skipped"]),
        ("false", "0", "always() && needs.a.result == 'skipped'", ["skipped", "success", "skipped"]),
    ],
)
def test_jobs_go_in_the_order_of_their_needs(
    start: Start, first: str, code: str, second: str, results: list[str]
) -> None:
    done = start(CHAIN.replace("A\n", first + "\n").replace("CODE", code).replace("IF", second))
    assert [(job.name, job.result) for job in done.jobs] == list(zip("abc", results, strict=True))


def test_a_matrix_from_an_output(start: Start) -> None:
    text = (
        "on: push\njobs:\n  plan:\n    runs-on: x\n    outputs: {matrix: '${{ steps.m.outputs.matrix }}'}\n"
        "    steps:\n      - id: m\n        run: |\n"
        '          echo \'matrix={"include": [{"id": "a", "labels": ["l", "m"], "code": 1},'
        ' {"id": "b", "labels": ["n"], "code": 0}]}\' >>"$GITHUB_OUTPUT"\n'
        "  cell:\n    name: ${{ matrix.id }}\n    needs: plan\n    runs-on: ${{ matrix.labels }}\n"
        "    strategy: {fail-fast: FAST, matrix: '${{ fromJSON(needs.plan.outputs.matrix) }}'}\n"
        "    env: {CELL: '${{ matrix.id }}'}\n"
        "    steps: [{run: 'echo \"$CELL\"; exit ${{ matrix.code }}'}]\n"
        "  end:\n    runs-on: x\n    needs: cell\n    if: always()\n"
        "    steps: [{run: 'echo ${{ needs.cell.result }}'}]\n"
    )
    done = start(text.replace("FAST", "false"))
    assert [(job.name, job.result, job.labels) for job in done.jobs if job.key == "cell"] == [
        ("a", "failure", ["l", "m"]),
        ("b", "success", ["n"]),
    ]
    assert done.job("b").steps[0].output == "b\n"
    assert done.job("end").steps[0].output == "failure\n"


def test_fail_fast_is_githubs_default(start: Start) -> None:
    done = start(
        workflow(
            "run: exit 1",
            job="    name: one ${{ matrix.n }}\n    strategy: {matrix: {n: [1, 2]}}\n",
        )
    )
    assert [(job.name, job.result) for job in done.jobs] == [("one 1", "failure"), ("one 2", "cancelled")]


def test_combinations_of_a_matrix() -> None:
    assert combinations({"a": [1.0, 2.0], "b": ["x"], "include": [{"a": 2.0, "c": "y"}, {"a": 3.0}]}) == [
        {"a": 1.0, "b": "x"},
        {"a": 2.0, "b": "x", "c": "y"},
        {"a": 3.0},
    ]
    assert combinations({"include": []}) == []


def test_too_many_jobs_and_none(start: Start) -> None:
    numbers = json.dumps(list(range(257)))
    with pytest.raises(UnsupportedError, match="257 jobs"):
        start(workflow("run: 'true'", job=f"    strategy: {{matrix: {{n: {numbers}}}}}\n"))


def test_a_called_workflow(start: Start) -> None:
    called = (
        "on:\n  workflow_call:\n    inputs:\n      what: {type: string, default: nothing}\n"
        "      other: {type: string, default: else}\n"
        "    outputs: {said: {value: '${{ jobs.inner.outputs.said }}'}}\n"
        "jobs:\n  inner:\n    runs-on: x\n    outputs: {said: '${{ steps.s.outputs.said }}'}\n"
        '    steps:\n      - {id: s, run: \'echo "said=$WHAT ${OUTER-none}" >>"$GITHUB_OUTPUT"\','
        " env: {WHAT: '${{ inputs.what }} ${{ inputs.other }}'}}\n"
    )
    text = (
        "on: {workflow_dispatch: {inputs: {what: {type: choice, options: [a, b], default: a}}}}\n"
        "env: {OUTER: not passed on}\n"
        "jobs:\n  call:\n    uses: ./called.yml\n    with: {what: '${{ inputs.what }}'}\n"
        "  after:\n    runs-on: x\n    needs: call\n"
        "    steps: [{run: 'echo \"${{ needs.call.outputs.said }}\"'}]\n"
    )
    done = start(text, event="workflow_dispatch", inputs={"what": "b"}, others={"called.yml": called})
    assert [job.name for job in done.jobs] == ["call/inner", "after"]
    assert done.job("after").steps[0].output == "b else none\n"


@pytest.mark.parametrize("given", [{"what": "c"}, {"unheard": "x"}])
def test_inputs_are_those_that_are_declared(start: Start, given: dict[str, str]) -> None:
    text = "on: {workflow_dispatch: {inputs: {what: {type: choice, options: [a], default: a}}}}\njobs: {}\n"
    with pytest.raises(UnsupportedError):
        start(text, event="workflow_dispatch", inputs=given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("on: push\njobs: {}\nunheard: 1\n", "unheard"),
        (workflow("{run: x, unheard: 1}"), "unheard"),
        (workflow("run: x", job="    container: x\n"), "container"),
        (workflow("{uses: someone/action@v1}"), "someone/action"),
        (workflow("{run: x, shell: pwsh}"), "pwsh"),
        (workflow("{run: 'echo x >>\"$GITHUB_PATH\"'}"), "GITHUB_PATH"),
        ("on: pull_request\njobs: {}\n", "not started by push"),
        ("on: push\njobs:\n  a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: a}\n", "need each other"),
    ],
)
def test_what_the_runner_does_not_know_is_an_error(start: Start, text: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        start(text)


@pytest.mark.parametrize(
    "step",
    [
        "{run: 'echo ${{ steps.unheard.outputs.x }}'}",
        "{run: 'echo ${{ github.unheard }}'}",
        "{run: 'echo ${{ matrix.x }}'}",
        "{run: x, if: 'needs.unheard.result'}",
        "{run: x, if: 'inputs.unheard'}",
    ],
)
def test_a_name_that_means_nothing_is_an_error(start: Start, step: str) -> None:
    with pytest.raises(ExpressionError):
        start(workflow(step))


def test_a_context_is_known_only_where_github_offers_it(start: Start) -> None:
    with pytest.raises(ExpressionError, match="env"):
        start(workflow("run: 'true'", job="    if: env.X == ''\n"))
    assert list(in_order({"b": {"needs": "a"}, "a": {}})) == ["a", "b"]


def test_hash_files(start: Start) -> None:
    done = start(
        workflow(
            "run: mkdir -p d/e; echo 1 >d/e/f",
            "{run: echo yes, if: \"hashFiles('d/**/f') != ''\"}",
            "{run: echo no, if: \"hashFiles('d/**/g') != ''\"}",
        )
    )
    assert outcomes(done) == ["success", "success", "skipped"]


def test_a_step_has_its_time(start: Start) -> None:
    done = start(workflow("run: sleep 30"), seconds=0.3)
    assert done.result == "failure"


def test_what_is_not_committed_does_not_run(start: Start, tmp_path: Path) -> None:
    def spoil(_name: str, _artifacts: Path) -> None:
        (tmp_path / "repository" / "main.yml").write_text("spoiled")

    done = start(
        workflow(
            "{uses: actions/checkout@x, with: {persist-credentials: false}}", "run: grep -q push main.yml"
        ),
        before=spoil,
    )
    assert done.result == "success"
    assert done.replaced == ("actions/checkout@x",)


def test_yaml_is_read_strictly(start: Start) -> None:
    with pytest.raises(UsageError, match="duplicate key"):
        start("on: push\njobs: {}\njobs: {}\n")
