"""Running programs: their whole group ends, nothing leaks in, and everything they say is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc, running
from pipeline.errors import ExitCode, HostError, InterruptedRunError

pytestmark = pytest.mark.usefixtures("processes")
ENV = proc.base_env()


def python(code: str, **options: object) -> proc.Result:
    return proc.run([sys.executable, "-c", code], **{"env": ENV, "timeout": 30.0, **options})  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed orphan may stay a zombie where nobody reaps.
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


FORKS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
"""


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_a_result(code: int) -> None:
    result = python(f"raise SystemExit({code})")
    assert (result.returncode, result.ok, result.timed_out) == (code, code == 0, False)


def test_a_signal_is_a_negative_exit_code() -> None:
    assert python("import os; os.kill(os.getpid(), 9)").returncode == -9


def test_a_time_limit_ends_the_whole_group() -> None:
    started = time.monotonic()
    result = python(FORKS + "time.sleep(60)", timeout=1.5)
    assert result.timed_out
    assert not result.ok
    assert time.monotonic() - started < 10
    assert gone(int(result.stdout))


def test_what_a_program_leaves_in_its_group_ends_with_it() -> None:
    started = time.monotonic()
    result = python(FORKS)
    assert result.ok
    assert time.monotonic() - started < 10
    assert gone(int(result.stdout))


def test_who_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.5)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    result = python(code, timeout=1.0)
    assert (result.timed_out, result.returncode, result.stdout) == (True, -9, "on\n")


def test_a_daemon_that_holds_the_output_open_does_not_hold_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.3)
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(2); print(1, flush=True)'], start_new_session=True)"
    )
    started = time.monotonic()
    assert python(code, log=tmp_path / "log").ok
    assert time.monotonic() - started < 1.9
    time.sleep(2.5)  # its late line must not end in a traceback of the reader


def test_output_goes_to_the_log_the_result_and_the_tail(tmp_path: Path) -> None:
    log = tmp_path / "a log ü"
    result = python("for n in range(100): print('line', n)", log=log)
    assert result.stdout.splitlines() == [f"line {n}" for n in range(100)]
    assert result.tail.splitlines() == [f"line {n}" for n in range(70, 100)]
    lines = log.read_text().splitlines()
    assert lines[0].startswith("$ ")
    assert lines[-100:] == result.stdout.splitlines()
    python("print('again')", log=log)
    assert log.read_text().endswith("again\n")
    assert log.read_text().startswith(lines[0])


def test_the_log_is_written_while_the_program_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import sys, time; print('early', flush=True); sys.stdin.read(); time.sleep(1)"
    thread = threading.Thread(target=lambda: python(code, log=log))
    thread.start()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not (
        log.exists() and "early\n" in log.read_text().partition("\n")[2]
    ):
        time.sleep(0.02)
    assert thread.is_alive()
    thread.join()


def test_merged_and_separate_errors(tmp_path: Path) -> None:
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); print('end')"
    assert python(code).stdout == "out\nerr\nend\n"
    log = tmp_path / "log"
    apart = python(code, merge=False, log=log)
    assert apart.stdout == "out\nend\n"
    assert "err" in apart.tail
    assert "err\n" in log.read_text()


def test_stdin_reaches_the_program_and_ends() -> None:
    assert (
        python("import sys; print(len(sys.stdin.buffer.read()))", stdin=b"x" * 3_000_000).stdout
        == "3000000\n"
    )
    assert python("import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_a_program_that_does_not_read_its_input_ends() -> None:
    assert python("pass", stdin=b"x" * 3_000_000).ok


def test_much_output_on_both_streams_does_not_block() -> None:
    code = "import sys\nfor n in range(300): sys.stdout.write('o' * 20000); sys.stderr.write('e' * 20000)"
    assert len(python(code, merge=False).stdout) == 6_000_000


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert python("import sys; sys.stdout.buffer.write(b'a\\xffb')").stdout == "a\ufffdb"


def test_nothing_of_the_environment_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOFLAGS", "GIT_DIR", "LD_PRELOAD_X", "PYTHONPATH", "SECRET_TOKEN"):
        monkeypatch.setenv(name, "leak")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    env = proc.base_env({"ASKED": "yes"})
    result = python("import os; print('\\n'.join(f'{k}={v}' for k, v in os.environ.items()))", env=env)
    seen = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert seen["ASKED"] == "yes"
    assert (seen["LANG"], seen["LC_ALL"], seen["TZ"]) == ("C.UTF-8", "C.UTF-8", "UTC")
    allowed = {"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "ASKED"}
    assert seen.keys() <= allowed


def test_arguments_are_never_a_shells() -> None:
    result = proc.run(
        [sys.executable, "-c", "import sys; print(sys.argv[1:])", "$HOME; ls `x`", ""], env=ENV, timeout=30
    )
    assert result.stdout == "['$HOME; ls `x`', '']\n"
    assert "'$HOME; ls `x`'" in result.command


def test_a_missing_program_is_the_hosts_fault(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot start no-such-program") as caught:
        proc.run(["no-such-program"], env=ENV, timeout=5)
    assert caught.value.exit_code is ExitCode.ENVIRONMENT
    with pytest.raises(HostError, match="nowhere"):
        proc.run([sys.executable], env=ENV, timeout=5, cwd=tmp_path / "nowhere")
    plain = tmp_path / "not-runnable"
    plain.write_text("x")
    with pytest.raises(HostError, match="cannot start"):
        proc.run([plain], env=ENV, timeout=5)


def test_an_interrupt_ends_the_programs_of_other_threads() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            python("import time; print('on', flush=True); time.sleep(60)", timeout=60)
        except InterruptedRunError as error:
            caught.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    proc.interrupt_all()
    for thread in threads:
        thread.join(10)
    assert len(caught) == 2
    assert time.monotonic() - started < 8
    assert proc.interrupted()
    with pytest.raises(InterruptedRunError):
        python("pass")
    proc.reset_interrupt()
    assert python("pass").ok


def test_time_and_memory_are_the_programs_own() -> None:
    busy = python(
        "import time\nx = b'x' * 80_000_000\n"
        "end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    )
    assert 0.3 <= busy.cpu_seconds <= busy.seconds + 0.5
    assert busy.max_rss > 80_000_000


@pytest.mark.parametrize(
    ("line", "blamed"),
    [
        ("go: write /tmp/x: no space left on device", True),
        ("compile: signal: killed", True),
        ("fork/exec: cannot allocate memory", True),
        ("x.go:1: undefined: y", False),
        ("", False),
    ],
)
def test_the_line_that_blames_the_machine(line: str, blamed: bool) -> None:
    result = python(f"print('before'); print({line!r}); raise SystemExit(1)")
    assert result.host_cause() == (line if blamed else "")


def test_a_shell_names_its_logs_and_reports(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    shell = proc.Shell(
        logs=tmp_path / "run" / "logs", observe=lambda name, result: seen.append((name, result.returncode))
    )
    result = shell.run("step", [sys.executable, "-c", "print(1); raise SystemExit(3)"], env=ENV, timeout=20)
    assert seen == [("step", 3)]
    assert result.log == tmp_path / "run" / "logs" / "step.log"
    assert result.log.read_text().endswith("1\n")


@pytest.mark.parametrize(
    "line",
    [
        'runtime/x.go:3:9: invalid operation: 1 + "no space left on device"',
        '\thave ("resource temporarily unavailable")',
    ],
)
def test_what_a_compiler_quotes_does_not_blame_the_machine(line: str) -> None:
    result = proc.run(["printf", "%s\\n", line], env=proc.base_env(), timeout=10)
    assert line in result.stdout
    assert result.host_cause() == ""


def test_a_program_beside_the_rest() -> None:
    """It goes on while the block does, and its whole group ends with that."""
    script = "echo ready; sleep 60 & echo $!; wait"
    with proc.beside(["/bin/sh", "-c", script], env=ENV) as found:
        deadline = time.monotonic() + 10
        while found.tail().count("\n") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not found.ended()
        child = int(found.tail().split()[1])
    assert found.ended()
    assert gone(child)


def test_what_a_program_beside_the_rest_said_when_it_ended() -> None:
    for _ in range(20):
        with proc.beside(["/bin/sh", "-c", "echo why >&2; exit 3"], env=ENV) as found:
            deadline = time.monotonic() + 10
            while not found.ended():
                assert time.monotonic() < deadline
                time.sleep(0.001)
            assert found.tail() == "why"


def test_nothing_is_started_beside_a_run_that_stops() -> None:
    proc.interrupt_all()
    with pytest.raises(InterruptedRunError), proc.beside(["/bin/true"], env=ENV):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_program_is_started_leaves_none_behind(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The signal comes when the program runs and nobody has its name yet."""
    pids: list[int] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            pids.append(self.pid)
            os.kill(os.getpid(), number)
            for _ in range(1000):  # where Python runs a handler
                pass

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Popen)
    before = signal.signal(number, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            python("import time; time.sleep(60)")
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)
    (pid,) = pids
    assert gone(pid)


def test_a_signal_is_not_lost_when_the_program_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "Popen", fails)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            python("")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
