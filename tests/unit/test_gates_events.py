"""Reading test2json output: who ran, how it ended, and who is charged with a crash."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_the_process_dies_after_testing_said_that_nothing_runs() -> None:
    """What testing really prints after a test, and a crash that follows it."""
    text = f"{M}=== RUN   TestA\n{M}--- PASS: TestA (0.00s)\n{M}=== NAME  \n{M}PASS\n"
    found = events.parse(f"{text}fatal error: bad sweepgen\n", crashed=True, why="exit status 2")
    assert (found.blamed, found.cause) == ("TestA", "fatal error: bad sweepgen")
    assert found.outcomes["TestA"].outcome == "fail"
    assert "bad sweepgen" in found.outcomes["TestA"].output
    assert events.parse(text, crashed=False).outcomes["TestA"].outcome == "pass"


PARALLEL = "".join(
    f"{M}=== RUN   {name}\n{M}=== PAUSE {name}\n{M}=== NAME  \n"
    for name in ("TestOne", "TestTwo", "TestThree")
) + "".join(f"{M}=== CONT  {name}\n" for name in ("TestTwo", "TestOne"))


def test_of_parallel_tests_the_stack_tells_which_died() -> None:
    stack = "\ngoroutine 9 [running]:\nnet.check(0x1)\n\tx.go:3\nnet_test.TestTwo.func1.2()\n\tx.go:5\n"
    later = "created by net_test.TestOne in goroutine 3\n\ngoroutine 1 [chan receive]:\nnet_test.TestOne()\n"
    found = events.parse(f"{PARALLEL}panic: deep\n{stack}{later}", crashed=True)
    assert found.blamed == "TestTwo"
    assert found.outcomes.keys() == {"TestTwo"}, "what was only interrupted came to nothing"
    assert "panic: deep" in found.outcomes["TestTwo"].output
    unknown = events.parse(f"{PARALLEL}panic: deep\n\ngoroutine 9 [running]:\nnet.f()\n", crashed=True)
    assert unknown.blamed == "TestOne", "the last that was heard of"


def test_a_paused_test_is_not_what_the_process_died_of() -> None:
    assert events.parse(
        f"{PARALLEL}panic: x\n\ngoroutine 9 [running]:\np.TestThree()\n", crashed=True
    ).blamed in {
        "TestOne",
        "TestTwo",
    }


def test_of_parallel_tests_the_one_that_ran_longest_used_up_the_time() -> None:
    dump = "panic: test timed out after 2m0s\n\trunning tests:\n\t\tTestOne (3s)\n\t\tTestTwo (1m58.5s)\n"
    dump += "\t\tTestTwo/deep (1m58.5s)\n\ngoroutine 5 [running]:\nnet.TestOne()\n"
    text = (
        f"{PARALLEL}{M}=== RUN   TestTwo/fine\n{M}--- PASS: TestTwo/fine (0.00s)\n{M}=== RUN   TestTwo/deep\n"
    )
    found = events.parse(text + dump, crashed=True)
    assert (found.blamed, found.hung) == ("TestTwo", 118.5)
    assert {name: one.outcome for name, one in found.outcomes.items()} == {
        "TestTwo": "fail",
        "TestTwo/fine": "pass",
        "TestTwo/deep": "fail",
    }


def test_an_old_failures_output_is_no_death() -> None:
    """Tests of runtime print the crashes of the programs they start."""
    text = f"{M}=== RUN   TestA\npanic: of a child\n\ngoroutine 1 [running]:\nmain.TestB()\n"
    text += f"{M}--- FAIL: TestA (0.10s)\n{M}=== RUN   TestB\n{M}--- PASS: TestB (0.00s)\n{M}FAIL\n"
    found = events.parse(text, crashed=True)
    assert found.blamed == ""
    assert {name: one.outcome for name, one in found.outcomes.items()} == {"TestA": "fail", "TestB": "pass"}


def test_a_quoted_mark_is_no_event() -> None:
    """Since testing escapes the mark in what a test logs, a test cannot end another by logging."""
    text = f"{M}=== RUN   TestB\n{M}=== PAUSE TestB\n{M}=== RUN   TestA\n"
    text += f"    a_test.go:3: hi\x1b{M}--- PASS: TestB (0.00s)\n{M}--- PASS: TestA (0.00s)\n"
    found = events.parse(f"{text}{M}=== CONT  TestB\n", crashed=True)
    assert found.outcomes["TestB"].outcome == "fail"
    assert r"hi\x16--- PASS: TestB" in found.outcomes["TestA"].output


def test_a_forged_pass_does_not_undo_a_failure() -> None:
    text = f"{M}=== RUN   TestA\n{M}--- FAIL: TestA (0.00s)\n{M}--- PASS: TestA (0.00s)\n"
    text += f"{M}--- PASS: TestNeverBegan (0.00s)\n"
    assert {n: o.outcome for n, o in parse(text, crashed=True).items()} == {"TestA": "fail"}
    early = f"{M}=== RUN   TestA\n{M}--- PASS: TestA (0.00s)\n{M}--- FAIL: TestA (0.00s)\n"
    assert parse(early, crashed=True)["TestA"].outcome == "fail"


def test_what_goes_to_a_terminal_holds_no_control_characters() -> None:
    text = f"{M}=== RUN   TestA\n\x1b[2J\x1b]0;title\x07\x9b31m\x00 \u202e tab\there\r\n"
    text += f"\x0f    a_test.go:9: got 1\x0e\n{M}--- FAIL: TestA (0.00s)\n"
    output = parse(text, crashed=True)["TestA"].output
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in output)
    assert not set("\x7f\x9b\u202e") & set(output)
    assert r"\x1b[2J" in output
    # The signs that testing puts around an error's text are no part of it.
    assert output.endswith("    a_test.go:9: got 1")


def test_a_flood_of_names_is_bounded() -> None:
    flood = "".join(f"{M}=== RUN   TestA/{n}\n" for n in range(events.MAX_TESTS + 1000))
    long = f"{M}=== RUN   TestA/{'x' * 5000}\n"
    text = f"{M}=== RUN   TestA\n{long}{flood}{M}--- FAIL: TestA (0.00s)\n{M}=== RUN   TestB\n"
    found = parse(f"{text}{M}--- PASS: TestB (0.00s)\n", crashed=True)
    assert found["TestA"].outcome == "fail"
    assert len(found) <= events.MAX_TESTS
    assert all(len(name) <= 301 for name in found)


def test_many_short_lines_are_kept_by_their_end_alone() -> None:
    text = f"{M}=== RUN   TestA\n" + "y\n" * 500_000 + f"last\n{M}--- FAIL: TestA (0.00s)\n"
    output = parse(text, crashed=True)["TestA"].output
    assert len(output) <= MAX_OUTPUT
    assert output.endswith("y\nlast")


def test_lines_may_end_as_on_windows() -> None:
    assert parse(REAL.replace("\n", "\r\n"), crashed=True).keys() == parse(REAL, crashed=True).keys()


PIECES = st.sampled_from(
    [
        M,
        "\x1b",
        "\n",
        "=== RUN   TestA",
        "=== RUN   TestA/b",
        "=== PAUSE TestA",
        "=== CONT  TestA",
        "=== NAME  ",
        "--- PASS: TestA (0.00s)",
        "--- FAIL: TestA/b (0.00s)",
        "panic: x",
        "panic: test timed out after 1s",
        "\trunning tests:",
        "\t\tTestA (1s)",
        "goroutine 1 [running]:",
        "p.TestA(0x1)",
        "noise",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=60).map("".join), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_output_breaks_the_reader(text: str, crashed: bool) -> None:
    found = events.parse(text, crashed=crashed, why="exit status 2")
    for name, one in found.outcomes.items():
        assert one.outcome in {"pass", "fail", "skip"}
        assert len(one.output) <= MAX_OUTPUT
        assert f"RUN   {name}" in text
    if found.blamed:
        assert found.outcomes[found.blamed].outcome == "fail"
    elif crashed:
        # Whoever fails must be told: a process that ended badly has a test that failed, or ran none.
        assert not found.outcomes or any(one.outcome == "fail" for one in found.outcomes.values())
