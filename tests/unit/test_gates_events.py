"""Reading test2json output: who ran, how it ended, and who is charged with a crash."""

from __future__ import annotations

from pipeline.gates import events
from pipeline.gates.events import MAX_OUTPUT

M = "\x16"


def parse(text: str, *, crashed: bool) -> dict[str, events.TestOutcome]:
    return dict(events.parse(text, crashed=crashed).outcomes)


REAL = f"""\
{M}=== RUN   TestPass
{M}--- PASS: TestPass (0.01s)
{M}=== RUN   TestGroup
{M}=== RUN   TestGroup/one
    x_test.go:7: from one
{M}--- PASS: TestGroup/one (0.00s)
{M}=== RUN   TestGroup/two
{M}=== NAME  TestGroup/two
    x_test.go:9: from two
{M}--- FAIL: TestGroup/two (0.00s)
{M}=== NAME  TestGroup
    x_test.go:11: from the group
{M}--- FAIL: TestGroup (0.25s)
{M}=== RUN   TestSkip
    x_test.go:20: needs root
{M}--- SKIP: TestSkip (0.00s)
{M}=== RUN   TestParallel
{M}=== PAUSE TestParallel
{M}=== CONT  TestParallel
{M}--- PASS: TestParallel (1.50s)
FAIL
"""


def test_outcomes_times_and_output() -> None:
    found = parse(REAL, crashed=True)
    assert {name: one.outcome for name, one in found.items()} == {
        "TestPass": "pass",
        "TestGroup/one": "pass",
        "TestGroup/two": "fail",
        "TestGroup": "fail",
        "TestSkip": "skip",
        "TestParallel": "pass",
    }
    assert found["TestParallel"].seconds == 1.5
    for line in ("from one", "from two", "from the group"):
        assert line in found["TestGroup"].output
    assert "needs root" in found["TestSkip"].output


def test_messages_after_the_failure_line_belong_to_it() -> None:
    text = (
        f"{M}=== RUN   TestA\n{M}--- FAIL: TestA (0.00s)\n    a_test.go:5: got 1\n{M}=== RUN   TestB\nquiet\n"
    )
    text += f"{M}--- PASS: TestB (0.00s)\nPASS\n"
    found = parse(text, crashed=True)
    assert "got 1" in found["TestA"].output
    assert "quiet" not in found["TestA"].output


def test_a_panic_is_charged_to_the_test_that_ran() -> None:
    text = f"{M}=== RUN   TestA\n{M}--- PASS: TestA (0.00s)\n{M}=== RUN   TestB\n"
    text += "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n"
    found = parse(text, crashed=True)
    assert found["TestA"].outcome == "pass"
    assert found["TestB"].outcome == "fail"
    assert "deadlock" in found["TestB"].output


def test_a_recovered_panic_keeps_its_stack() -> None:
    text = f"{M}=== RUN   TestB\n{M}--- FAIL: TestB (0.00s)\n"
    text += "panic: boom [recovered]\n\tpanic: boom\n\ngoroutine 7:\n"
    found = parse(text, crashed=True)
    assert found["TestB"].outcome == "fail"
    assert "panic: boom" in found["TestB"].output


def test_a_time_out_is_charged_to_the_test_that_hung() -> None:
    text = f"{M}=== RUN   TestA\n{M}--- PASS: TestA (0.00s)\n{M}=== RUN   TestHang\n"
    text += "panic: test timed out after 2s\n\trunning tests:\n\t\tTestHang (2s)\n"
    found = parse(text, crashed=True)
    assert found["TestHang"].outcome == "fail"
    assert "test timed out after 2s" in found["TestHang"].output
    assert "timed out" not in found["TestA"].output


def test_output_that_imitates_events_is_output() -> None:
    text = f"{M}=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestFake\n{M}--- FAIL: TestA (0.10s)\n"
    found = parse(text, crashed=True)
    assert found.keys() == {"TestA"}
    assert found["TestA"].outcome == "fail"
    assert "--- PASS: TestA" in found["TestA"].output


def test_a_test_that_prints_no_newline_still_ends() -> None:
    """The mark may stand within a line: test2json splits there, too."""
    text = f"{M}=== RUN   TestA\nno newline{M}--- PASS: TestA (0.00s)\n"
    text += f"{M}=== RUN   TestB\n{M}--- PASS: TestB (0.00s)\n"
    found = parse(text, crashed=False)
    assert {name: one.outcome for name, one in found.items()} == {"TestA": "pass", "TestB": "pass"}
    assert found["TestA"].output == "no newline"


def test_a_crash_after_the_last_test_is_not_a_pass() -> None:
    text = f"{M}=== RUN   TestA\n{M}--- PASS: TestA (0.00s)\n"
    text += f"{M}=== RUN   TestB\n{M}--- PASS: TestB (0.00s)\nPASS\n"
    found = parse(text + "fatal error: bad sweepgen\n", crashed=True)
    assert found["TestA"].outcome == "pass"
    assert found["TestB"].outcome == "fail"
    assert "bad sweepgen" in found["TestB"].output


def test_a_process_that_leaves_within_a_test_has_failed_whatever_it_says() -> None:
    found = events.parse(f"{M}=== RUN   TestA\nbye\n", crashed=False, why="exit status 0")
    assert found.blamed == "TestA"
    assert found.outcomes["TestA"].outcome == "fail"
    assert found.outcomes["TestA"].output == "bye\nthe process ended: exit status 0"


def test_nothing_ran() -> None:
    assert parse("", crashed=True) == {}
    assert parse("testing: warning: no tests to run\nPASS\n", crashed=False) == {}


def test_long_output_is_cut_to_its_end() -> None:
    text = f"{M}=== RUN   TestA\n" + "x" * 3 * MAX_OUTPUT + f"\nthe end\n{M}--- FAIL: TestA (0.00s)\n"
    output = parse(text, crashed=True)["TestA"].output
    assert len(output) == MAX_OUTPUT
    assert output.endswith("the end")
