"""The machine check: what it reads of fake and real machines, what it says of them, and the lock."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pipeline import proc
from pipeline.bench import exclusive, findings, machine
from pipeline.bench.findings import Finding
from pipeline.bench.machine import Busy, MachineState, Meter, Usage
from pipeline.errors import ExitCode, HostError, InterruptedRunError

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(not proc.POSIX, reason="POSIX locks and signals")

QUIET = MachineState(
    load=0.1,
    cores=2,
    governors=("performance",),
    turbo=False,
    turbo_switch="intel_pstate/no_turbo",
    celsius=50.0,
    throttles=0,
    on_battery=False,
    virtual=False,
    processes=(),
)
IDLE = Usage(elsewhere=0.02, steal=0.0)


class Fake:
    """A machine's /sys and /proc as files."""

    def __init__(self, root: Path) -> None:
        self.sys, self.proc = root / "sys", root / "proc"

    def put(self, name: str, text: str) -> None:
        path = self.sys.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def observe(self) -> MachineState:
        return machine.Watch().state(sys_root=self.sys, proc_root=self.proc, seconds=0.0)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


# What observe reads.


def test_nothing_readable_is_none_and_no_error(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    monkeypatch.setattr(psutil, "process_iter", refuse)
    state = fake.observe()
    assert state == MachineState(
        load=None,
        cores=os.cpu_count() or 1,
        governors=None,
        turbo=None,
        turbo_switch=None,
        celsius=None,
        throttles=None,
        on_battery=None,
        virtual=None,
        processes=(),
    )
    assert findings.findings(state, Usage(elsewhere=None, steal=None)) == []


@pytest.mark.parametrize("garbage", ["", "\x00\x01", "not a number", "9" * 5000])
def test_garbage_and_folders_where_files_should_be_are_not_read(fake: Fake, garbage: str) -> None:
    for name in ("intel_pstate/no_turbo", "cpu0/thermal_throttle/core_throttle_count"):
        fake.put(f"sys/devices/system/cpu/{name}", garbage)
    fake.put("sys/class/thermal/thermal_zone0/temp", garbage)
    (fake.sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor").mkdir(parents=True)
    (fake.proc / "cpuinfo").mkdir(parents=True)
    state = fake.observe()
    assert (state.turbo, state.throttles, state.governors, state.virtual) == (None, None, None, None)


def test_every_cores_governor_is_read_once_each(fake: Fake) -> None:
    for cpu, governor in enumerate(["performance", "powersave", "performance"]):
        fake.put(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", f"{governor}\n")
    assert fake.observe().governors == ("performance", "powersave")


@pytest.mark.parametrize(
    ("switch", "text", "turbo"),
    [
        ("intel_pstate/no_turbo", "0\n", True),
        ("intel_pstate/no_turbo", "1\n", False),
        ("cpufreq/boost", "1\n", True),
        ("cpufreq/boost", "0\n", False),
    ],
)
def test_turbo_is_read_of_either_driver(fake: Fake, switch: str, text: str, turbo: bool) -> None:
    fake.put(f"sys/devices/system/cpu/{switch}", text)
    state = fake.observe()
    assert (state.turbo, state.turbo_switch) == (turbo, switch)


def test_the_hottest_sensor_of_the_processor_counts(fake: Fake) -> None:
    fake.put("sys/class/thermal/thermal_zone0/type", "iwlwifi_1\n")
    fake.put("sys/class/thermal/thermal_zone0/temp", "99000\n")
    assert fake.observe().celsius == 99.0, "the only one there is"
    fake.put("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n")
    fake.put("sys/class/thermal/thermal_zone1/temp", "61500\n")
    fake.put("sys/class/hwmon/hwmon3/name", "k10temp\n")
    fake.put("sys/class/hwmon/hwmon3/temp1_input", "72250\n")
    fake.put("sys/class/hwmon/hwmon3/temp2_input", "255000\n")
    assert fake.observe().celsius == 72.25


def test_throttle_counts_of_all_cores_add_up(fake: Fake) -> None:
    for cpu, kind, count in [(0, "core", 3), (0, "package", 4), (11, "core", 5)]:
        fake.put(f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle/{kind}_throttle_count", f"{count}\n")
    fake.put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_max_time_ms", "900\n")
    assert fake.observe().throttles == 12


@pytest.mark.parametrize(
    ("cpuinfo", "virtual"),
    [
        ("processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n", True),
        ("processor\t: 0\nmodel name\t: hypervisor\nflags\t\t: fpu vme\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd\n", None),
    ],
)
def test_a_virtual_machine_is_told_by_the_processors_flags(
    fake: Fake, cpuinfo: str, virtual: bool | None
) -> None:
    fake.put("proc/cpuinfo", cpuinfo)
    assert fake.observe().virtual is virtual


@pytest.mark.parametrize(("plugged", "expected"), [(True, False), (False, True), (None, None)])
def test_the_battery(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, plugged: bool | None, expected: bool | None
) -> None:
    battery = SimpleNamespace(power_plugged=plugged)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert fake.observe().on_battery is expected


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("firefox", "firefox"),
        ("\x1b]0;owned\x07\x1b[31mred\r\n", "]0;owned[31mred"),
        ("a\u202eb\u200bc\udcffd", "abcd"),
        ("x" * 200, "x" * 40),
        ("\x00\x9b \t", "?"),
        ("", "?"),
        ("Google Chrome Hélper", "Google Chrome Hélper"),
    ],
)
def test_hostile_names_are_cleaned(name: str, cleaned: str) -> None:
    assert machine.clean(name) == cleaned


class FakeProcess:
    """What psutil gives of a process: the seconds of processor time at one look after the other; None is the
    end of it."""

    def __init__(self, pid: int, name: str, *spent: float | None, started: float = 1.0) -> None:
        self.pid, self._name, self._spent, self._started = pid, name, list(spent), started

    def cpu_times(self) -> SimpleNamespace:
        if (spent := self._spent.pop(0)) is None:
            raise psutil.NoSuchProcess(self.pid)
        return SimpleNamespace(user=0.75 * spent, system=0.25 * spent, iowait=9.0, children_user=9.0)

    def create_time(self) -> float:
        return self._started

    def name(self) -> str:
        return self._name


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[list[FakeProcess]]], tuple[Busy, ...]]:
    """Who is seen as busy between two looks at the processes, ten seconds apart."""

    def seen(at: list[list[FakeProcess]]) -> tuple[Busy, ...]:
        now = iter([100.0, 110.0, 110.0, 110.0])
        monkeypatch.setattr(time, "monotonic", lambda: next(now))
        monkeypatch.setattr(time, "sleep", lambda _: None)
        monkeypatch.setattr(psutil, "process_iter", lambda: iter(at.pop(0)))
        return machine.Watch().state().processes

    return seen


def test_the_busiest_five_others_are_listed(
    looks: Callable[[list[list[FakeProcess]]], tuple[Busy, ...]],
) -> None:
    spent = [0.5, 0.49, 8.0, 15.0, 2.0, 1.0, 3.0, 0.9, None]
    others = [
        FakeProcess(10_000_000 + n, f"\x1b[1mp{n}", 500.0, end and 500.0 + end) for n, end in enumerate(spent)
    ]
    ours = [FakeProcess(pid, "ours", 0.0, 99.0) for pid in (0, os.getpid(), os.getppid())]
    assert [(one.name, one.share) for one in looks([[*ours, *others], [*ours, *others]])] == [
        ("[1mp3", 1.5),
        ("[1mp2", 0.8),
        ("[1mp6", 0.3),
        ("[1mp4", 0.2),
        ("[1mp5", 0.1),
    ]


def test_one_that_came_since_counts_whole_and_one_that_has_its_pid_is_another(
    looks: Callable[[list[list[FakeProcess]]], tuple[Busy, ...]],
) -> None:
    gone = FakeProcess(10_000_000, "gone", 500.0)
    found = looks(
        [[gone], [FakeProcess(10_000_000, "again", 2.0, started=2.0), FakeProcess(10_000_001, "came", 3.0)]]
    )
    assert [(one.name, one.share) for one in found] == [("came", 0.3), ("again", 0.2)]


def test_a_watch_waits_for_as_long_as_it_takes_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    watch = machine.Watch()
    watch.state(seconds=30.0)
    assert 25.0 < waited[0] <= 30.0
    watch.state(seconds=0.0)
    assert waited[1] == 0.0


BURN = "print('on', flush=True)\nwhile True: pass\n"


@contextlib.contextmanager
def started(code: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A Python program in a session of its own, once it has said its first line; killed at the end."""
    child: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=proc.base_env({"PYTHONPATH": str(ROOT)}),
        **options,  # type: ignore[call-overload]
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


@posix
@pytest.mark.parametrize("stranger", [False, True])
def test_a_strangers_process_is_seen_and_our_own_child_is_not(
    processes: None, tmp_path: Path, stranger: bool
) -> None:
    burner = tmp_path / "gp-burner"
    burner.symlink_to(Path(sys.executable).resolve())
    start = f"import subprocess, time\nchild = subprocess.Popen([{str(burner)!r}, '-c', {BURN!r}],"
    start += " stdout=subprocess.DEVNULL, start_new_session=True)\nprint(child.pid, flush=True)\n"
    # Whose parent has ended is no descendant any more.
    with started(start + ("" if stranger else "time.sleep(60)")) as parent:
        pid = int(line(parent))
        try:
            if stranger:
                parent.wait(30)
            names = [one.name for one in machine.Watch().state(seconds=0.5).processes]
        finally:
            os.kill(pid, signal.SIGKILL)
    assert ("gp-burner" in names) == stranger


# The meter.


class Clock:
    """The machine's counters as a test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.own = 0.0
        self.times: dict[str, float] = {"user": 0.0, "system": 0.0, "idle": 0.0}
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(**self.times))
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        fields = {"user": 0.0, "system": 0.0, "children_system": 0.0}
        monkeypatch.setattr(os, "times", lambda: SimpleNamespace(children_user=self.own, **fields))

    def go(self, seconds: float, own: float = 0.0, **times: float) -> None:
        self.now += seconds
        self.own += own
        for kind, spent in times.items():
            self.times[kind] = self.times.get(kind, 0.0) + spent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_elsewhere_is_what_was_used_without_our_own(clock: Clock) -> None:
    meter = Meter.start()
    clock.go(10, own=8, user=10, system=1, softirq=1, idle=6, iowait=2)
    assert meter.elsewhere() == pytest.approx(0.4)
    clock.go(10, own=8, user=8, idle=12)
    assert meter.elsewhere() == pytest.approx(0.0), "since the last call, not since the start"


@pytest.mark.parametrize(("user", "own", "expected"), [(1.0, 1.5, 0.0), (30.0, 0.0, 2.0)])
def test_elsewhere_stays_between_nothing_and_all_cores(
    clock: Clock, user: float, own: float, expected: float
) -> None:
    meter = Meter.start()
    clock.go(10, own=own, user=user, idle=5)
    assert meter.elsewhere() == expected


def test_too_short_a_time_is_left_for_the_next_call(clock: Clock) -> None:
    meter = Meter.start()
    clock.go(0.05, user=0.05, idle=0.05)
    assert meter.usage() == Usage(elsewhere=None, steal=None)
    clock.go(0.95, user=0.45, idle=1.45)
    assert meter.elsewhere() == pytest.approx(0.5)


def test_counters_that_stand_still_tell_nothing(clock: Clock) -> None:
    meter = Meter.start()
    clock.go(10, own=1)
    assert meter.usage() == Usage(elsewhere=None, steal=None)


def test_no_counters_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(psutil, "cpu_times")
    assert Meter.start().usage() == Usage(elsewhere=None, steal=None)


def test_steal_is_a_share_of_what_was_wanted(clock: Clock) -> None:
    meter = Meter.start()
    clock.go(10, own=9, user=9, steal=1, idle=10)
    assert meter.usage().steal is None, "the first reading had none"
    clock.go(10, own=15, user=15, steal=5, idle=0)
    usage = meter.usage()
    assert usage.steal == pytest.approx(0.25)
    assert usage.elsewhere == pytest.approx(0.0), "what the hypervisor took is not another program's"
    clock.go(10, user=0.01, steal=0.01, idle=20)
    assert meter.usage().steal == pytest.approx(0.001), "an idle machine's ticks are no half"


def test_where_children_are_not_told_of_elsewhere_is_not_either(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "POSIX", False)
    meter = Meter.start()
    clock.go(10, own=1, user=10, idle=10)
    assert meter.elsewhere() is None


@posix
def test_a_busy_stranger_is_metered(processes: None) -> None:
    with started(BURN) as child:
        assert line(child) == "on"
        stranger = psutil.Process(child.pid)
        meter, before, begun = Meter.start(), stranger.cpu_times(), time.monotonic()
        time.sleep(1.0)
        elsewhere, after, seconds = meter.elsewhere(), stranger.cpu_times(), time.monotonic() - begun
    used = (after.user + after.system - before.user - before.system) / seconds
    assert used > 0.1
    assert elsewhere is not None
    # At least the child; how much more is up to whatever else runs on the test's machine.
    assert used - 0.1 <= elsewhere <= (os.cpu_count() or 1)


@posix
def test_a_child_that_was_waited_for_is_ours(processes: None) -> None:
    meter, begun = Meter.start(), time.monotonic()
    code = "import time\nwhile time.process_time() < 0.8: pass\n"
    result = proc.run([sys.executable, "-c", code], env=proc.base_env(), timeout=60)
    elsewhere, seconds = meter.elsewhere(), time.monotonic() - begun
    assert elsewhere is not None
    # What is ours cannot be elsewhere, whatever else runs on the test's machine.
    assert elsewhere <= (os.cpu_count() or 1) - result.cpu_seconds / seconds + 0.1


# What is said of it.


def keys(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.key, one.severity) for one in found]


def test_a_quiet_machine_is_left_alone() -> None:
    assert findings.findings(QUIET, IDLE) == []
    assert findings.findings(QUIET) == []
    assert findings.findings(QUIET, IDLE, before=QUIET) == []


FIREFOX = Busy(name="firefox", share=0.8)


@pytest.mark.parametrize(
    ("change", "usage", "key", "severity", "what", "advice"),
    [
        ({"processes": (FIREFOX,)}, Usage(elsewhere=1.9, steal=0.0), "busy", "warning",
         "1.9 of 2 cores were used by other programs (firefox 80 %)", "quieter time"),
        ({"processes": (FIREFOX,)}, None, "busy", "warning", "0.8 of 2 cores", "close them"),
        ({}, Usage(elsewhere=0.3, steal=None), "busy", "warning", "programs", "close them"),
        ({"cores": 1}, Usage(elsewhere=0.3, steal=None), "busy", "warning", "0.3 of 1 core was", "close"),
        ({"load": 1.75}, None, "load", "info", "1.75, this run's own work included", "close them"),
        ({}, Usage(elsewhere=0.0, steal=0.04), "steal", "warning", "the hypervisor took 4 %", "of your own"),
        ({"governors": ("performance", "powersave")}, IDLE, "governor", "warning",
         "the governor is powersave", "sudo cpupower frequency-set -g performance"),
        ({"turbo": True}, IDLE, "turbo", "info", "turbo is on",
         "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"),
        ({"turbo": True, "turbo_switch": "cpufreq/boost"}, IDLE, "turbo", "info", "turbo is on",
         "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"),
        ({"throttles": 3}, IDLE, "throttled", "info", "since this machine started", "cooling"),
        ({"celsius": 90.0}, IDLE, "hot", "warning", "90 °C", "cool"),
        ({"on_battery": True}, IDLE, "battery", "warning", "battery", "plug it in"),
        ({"virtual": True}, IDLE, "virtual", "info", "virtual machine", "machine of your own"),
    ],
)  # fmt: skip
def test_each_finding_fires_alone(
    change: dict[str, object], usage: Usage | None, key: str, severity: str, what: str, advice: str
) -> None:
    (found,) = findings.findings(replace(QUIET, **change), usage)  # type: ignore[arg-type]
    assert (found.key, found.severity) == (key, severity)
    assert what in found.what
    assert advice in found.advice
    assert "\n" not in found.what + found.advice


@pytest.mark.parametrize(
    ("change", "usage"),
    [
        ({"load": 5.0}, IDLE),  # our own compiling: the meter knows better
        ({"processes": (FIREFOX,)}, IDLE),  # a moment's, not of the time that was metered
        ({"cores": 16}, Usage(elsewhere=0.7, steal=None)),
        ({}, Usage(elsewhere=0.1, steal=0.02)),
        ({"governors": ("userspace",)}, IDLE),
        ({"celsius": 89.9}, IDLE),
        ({"turbo": None, "governors": None, "celsius": None, "virtual": None}, IDLE),
    ],
)
def test_what_is_no_reason_to_worry_says_nothing(change: dict[str, object], usage: Usage) -> None:
    assert findings.findings(replace(QUIET, **change), usage) == []  # type: ignore[arg-type]


def test_throttling_counts_when_it_happened_meanwhile() -> None:
    before, after = replace(QUIET, throttles=3), replace(QUIET, throttles=4)
    assert keys(findings.findings(after, IDLE, before=before)) == [("throttled", "warning")]
    assert findings.findings(after, IDLE, before=after) == []
    unread = replace(QUIET, throttles=None)
    assert keys(findings.findings(after, IDLE, before=unread)) == [("throttled", "info")]


def test_warnings_come_first() -> None:
    state = replace(QUIET, virtual=True, turbo=True, governors=("powersave",), throttles=1)
    found = findings.findings(state, Usage(elsewhere=1.0, steal=0.1))
    assert [one.severity for one in found] == ["warning"] * 3 + ["info"] * 3


# The lock.

HOLD = """
import sys, time
from pathlib import Path
from pipeline.bench import exclusive, findings, machine
with exclusive.exclusive(lambda text: print(text, flush=True), path=Path({path!r})):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path: Path) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return started(HOLD.format(path=str(path)), stderr=subprocess.DEVNULL)


@posix
def test_the_second_run_waits_until_the_first_is_killed(processes: None, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as first:
        assert line(first) == "held"
        with hold(path) as second:
            assert line(second) == exclusive.WAITING
            time.sleep(3 * exclusive.POLL_SECONDS)
            assert second.poll() is None
            first.send_signal(signal.SIGKILL)
            assert line(second) == "held", "told once, then it has the lock"
    assert path.exists(), "removing it would let two runs hold two locks"


@posix
def test_a_waiting_run_ends_on_ctrl_c(processes: None, tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as first:
        assert line(first) == "held"
        with hold(tmp_path / "lock") as second:
            assert line(second) == exclusive.WAITING
            second.send_signal(signal.SIGINT)
            assert second.wait(10) != 0
        assert first.poll() is None


@posix
def test_a_waiting_thread_ends_when_the_run_is_stopped(processes: None, tmp_path: Path) -> None:
    told = threading.Event()
    with exclusive.exclusive(lambda _: None, path=tmp_path / "lock") as waited:
        assert not waited
        threading.Timer(0.3, proc.interrupt_all).start()
        with (
            pytest.raises(InterruptedRunError),
            exclusive.exclusive(lambda _: told.set(), path=tmp_path / "lock"),
        ):
            pass
    assert told.is_set()


@posix
def test_whoever_waited_for_the_lock_knows_it(processes: None, tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as first:
        assert line(first) == "held"
        threading.Timer(0.3, first.kill).start()
        with exclusive.exclusive(lambda _: None, path=tmp_path / "lock") as waited:
            assert waited


@pytest.mark.parametrize("posix_locks", [pytest.param(True, marks=posix), False])
def test_the_lock_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, posix_locks: bool) -> None:
    monkeypatch.setattr(proc, "POSIX", posix_locks)
    told: list[str] = []
    path = tmp_path / "lock"
    take = exclusive._flock if posix_locks else exclusive._filelock
    for _ in range(2):
        with contextlib.suppress(ZeroDivisionError), exclusive.exclusive(told.append, path=path):
            assert take(path) is None, "nobody else gets it meanwhile"
            raise ZeroDivisionError
    assert told == []


@posix
def test_a_lock_whose_file_was_removed_is_not_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"

    def open_then_lose(place: Path) -> int:
        file = real(place)
        place.unlink()
        return file

    real: Callable[[Path], int] = exclusive._open
    monkeypatch.setattr(exclusive, "_open", open_then_lose)
    assert exclusive._flock(path) is None


@posix
@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "fifo", "folder", "socket"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "lock", tmp_path / "victim"
    if kind == "symlink":
        victim.write_text("kept")
        path.symlink_to(victim)
    elif kind == "dangling symlink":
        path.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
            server.bind("lock")
    else:
        path.mkdir()
    with pytest.raises(HostError) as caught, exclusive.exclusive(lambda _: None, path=path):
        pass
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert str(path) in caught.value.what
    assert "ls -l" in caught.value.hint
    assert victim.exists() == (kind == "symlink"), "nothing was made through the link"


@posix
def test_a_folder_that_is_missing_is_an_error_and_no_endless_wait(tmp_path: Path) -> None:
    with (
        pytest.raises(HostError, match="No such file"),
        exclusive.exclusive(print, path=tmp_path / "n" / "l"),
    ):
        pass


@posix
def test_others_may_open_the_lock_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with exclusive.exclusive(lambda _: None, path=tmp_path / "lock"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o644


@pytest.mark.rootonly
def test_another_users_lock_is_waited_for_and_taken(processes: None) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        path = Path(folder) / "lock"
        stranger = HOLD.replace("with ", "import os, pipeline.errors\nos.setuid(65534)\nwith ", 1)
        with hold(path) as first:
            assert line(first) == "held"
            with started(stranger.format(path=str(path))) as second:
                assert line(second) == exclusive.WAITING
                first.kill()
                assert line(second) == "held"
        assert path.stat().st_uid == 0


def test_the_lock_lies_where_every_user_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(proc, "POSIX", False)
    assert exclusive._lock_path() == tmp_path / exclusive.LOCK_NAME
    monkeypatch.setattr(proc, "POSIX", True)
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert exclusive._lock_path() == Path("/tmp") / exclusive.LOCK_NAME
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert exclusive._lock_path() == tmp_path / exclusive.LOCK_NAME
