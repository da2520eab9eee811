"""Mails and mboxes: what we take from them must be what ``git am`` makes of them."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import PatchError, UsageError
from pipeline.inputs import mails
from pipeline.patch import apply, lint
from tests.unit.contributor import FILE, TEXT, Repository

pytestmark = pytest.mark.usefixtures("processes")

LONG = "runtime: " + " ".join(f"wörd{number}" for number in range(14))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "clone")
    made.edit(
        3, "line drei, größer als 2", f"{LONG}\n\nA body with ünicode, = signs and a tab\t.\n\nFixes #1\n"
    )
    made.edit(20, "line = 20 \\ =3D", "[release-branch.go1.27] runtime: b\n\nThe body.\n")
    made.edit(38, "x" * 300, "runtime: c\n")
    return made


def as_am_does(repository: Repository, raw: bytes, *options: str) -> list[tuple[str, str, str]]:
    """Subject, body and tree of each commit that git am makes of the mails."""
    repository.git("checkout", "--quiet", "-B", "am", "master~3")
    repository.raw("am", "--keep-non-patch", *options, stdin=raw)
    commits = repository.git("rev-list", "--reverse", "master~3..am").split()
    return [
        (
            repository.git("log", "-1", "--format=%s", commit),
            repository.git("log", "-1", "--format=%b", commit),
            repository.git("show", f"{commit}:{FILE}"),
        )
        for commit in commits
    ]


def as_we_do(tmp_path: Path, raw: bytes) -> list[tuple[str, str, str]]:
    """The same by our reading and applying."""
    root = tmp_path / "tree"
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(TEXT)
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
    found = []
    for patch in mails.read(raw, "x.mbox").patches:
        apply.write(root, apply.apply_series(shell, root, [patch]).require().files)
        found.append((patch.subject, patch.message.strip(), (root / FILE).read_text().strip()))
    return found


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--attach",),
        ("--inline",),
        ("--cover-letter",),
        ("--subject-prefix=RFC PATCH net-next", "-v3"),
        ("--no-numbered",),
        ("--start-number=1", "--from=Other <b@example.test>"),
        ("--encode-email-headers", "--add-header=X-Odd: yes"),
        ("--no-stat", "--full-index", "--no-signature"),
    ],
)
def test_every_way_to_format_a_patch(
    repository: Repository, tmp_path: Path, options: tuple[str, ...]
) -> None:
    raw = repository.raw("format-patch", "--stdout", *options, "master~3..master")
    expected = as_am_does(repository, _without_cover(raw) if "--cover-letter" in options else raw)
    assert len(expected) == 3
    assert as_we_do(tmp_path, raw) == expected
    found = mails.read(raw, "x.mbox")
    assert found.patches[1].subject == "[release-branch.go1.27] runtime: b"
    assert found.commits == tuple(repository.git("rev-list", "--reverse", "master~3..master").split())
    assert [patch.files for patch in found.patches] == [(FILE,)] * 3


def _without_cover(raw: bytes) -> bytes:
    return raw[re.search(rb"\nFrom (?=[0-9a-f]{40} )", raw).end() - 5 :]  # type: ignore[union-attr]


def one_mail(repository: Repository, commit: str) -> EmailMessage:
    raw = repository.raw("format-patch", "--stdout", "-1", commit).split(b"\n", 1)[1]
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("separator", [b"From a@example.test Thu Nov 20 23:30:00 2026\n", b""])
def test_transfer_encodings(repository: Repository, tmp_path: Path, encoding: str, separator: bytes) -> None:
    mail = one_mail(repository, "master~2")
    mail.set_content(mail.get_content(), charset="utf-8", cte=encoding)
    raw = separator + mail.as_bytes(policy=email.policy.SMTP.clone(linesep="\n"))
    expected = as_am_does(repository, raw)
    assert as_we_do(tmp_path, raw) == expected
    assert expected[0][0] == LONG
    assert "ünicode, = signs" in expected[0][1]
    assert "größer als 2" in expected[0][2]
    (patch,) = mails.read(raw, "x.mbox").patches
    # Only the plain one is as it came; of the others a reviewer can read what is kept.
    assert (patch.content in raw) == (encoding == "8bit")
    assert "größer als 2" in patch.content.decode()


def test_another_charset_of_the_message(repository: Repository, tmp_path: Path) -> None:
    repository.git("checkout", "--quiet", "master~3")
    commit = repository.edit(1, "line one", "runtime: für alle\n\nÜber.\n")
    raw = repository.raw("format-patch", "--stdout", "-1", commit)
    raw = raw.replace(b"charset=UTF-8", b"charset=iso-8859-1").decode().encode("latin-1")
    assert as_we_do(tmp_path, raw) == as_am_does(repository, raw)
    assert as_we_do(tmp_path, raw)[0][:2] == ("runtime: für alle", "Über.")
    with pytest.raises(PatchError, match=r"mail 1 of x.mbox cannot be read"):
        mails.read(raw.replace(b"iso-8859-1", b"x-no-such-charset"), "x.mbox")


def test_quoted_from_lines(repository: Repository, tmp_path: Path) -> None:
    repository.git("checkout", "--quiet", "-B", "master", "master~3")
    body = "From here on, at 12:30:00 2001, all is new.\n>From is quoted once.\n"
    repository.edit(1, "From the first: 12:30:00 2001", f"runtime: a\n\n{body}")
    for number in (2, 3):
        repository.edit(number, f"other {number}", f"runtime: {number}\n")
    raw = repository.raw("format-patch", "--stdout", "--pretty=mboxrd", "-3")
    assert b"\n>From here on" in raw
    assert as_we_do(tmp_path, raw) == as_am_does(repository, raw, "--patch-format=mboxrd")
    assert mails.read(raw, "x.mbox").patches[0].message == body.strip()


def dos(repository: Repository) -> bytes:
    """Two mails of files whose lines end in CRLF, in whole and in part; the first's message has them too."""
    repository.git("checkout", "--quiet", "-B", "dos", "master~3")
    repository.git("config", "core.autocrlf", "false")
    new = {"src/errors/dos.go": "package errors\r\n\r\n// end\r\n", "src/errors/mixed": "a\r\nb\nc\r\n"}
    repository.commit(new, "errors: x\r\n\r\nIt is new.\r\n")
    repository.commit({"src/errors/dos.go": "package errors\r\n\r\n// END\r\n"}, "errors: y\n\nIt is loud.\n")
    return repository.raw("format-patch", "--stdout", "dos~2..dos")


def bytes_by_am(repository: Repository, raw: bytes, *options: str) -> dict[str, bytes]:
    repository.git("checkout", "--quiet", "-B", "am", "master~3")
    repository.raw("am", *options, stdin=raw)
    return {name: repository.raw("show", f"am:src/errors/{name}") for name in ("dos.go", "mixed")}


def bytes_by_us(tmp_path: Path, raw: bytes) -> dict[str, bytes]:
    root = tmp_path / "bytes"
    root.mkdir()
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
    patches = mails.read(raw, "x.mbox").patches
    assert not [one for patch in patches for one in patch.findings if one.severity == "error"]
    apply.write(root, apply.apply_series(shell, root, patches).require().files)
    return {name: (root / "src/errors" / name).read_bytes() for name in ("dos.go", "mixed")}


def test_carriage_returns_of_the_files_stay(repository: Repository, tmp_path: Path) -> None:
    raw = dos(repository)
    files = bytes_by_us(tmp_path, raw)
    assert files == bytes_by_am(repository, raw, "--keep-cr")
    assert files == {"dos.go": b"package errors\r\n\r\n// END\r\n", "mixed": b"a\r\nb\nc\r\n"}
    found = mails.read(raw, "x.mbox")
    assert found.notes == ()
    assert found.patches[0].message == "It is new."
    assert found.patches[1].content in raw


@pytest.mark.parametrize("options", [("--attach",), ("--inline",)])
def test_carriage_returns_in_attachments(
    repository: Repository, tmp_path: Path, options: tuple[str, ...]
) -> None:
    dos(repository)
    raw = repository.raw("format-patch", "--stdout", *options, "dos~2..dos")
    assert bytes_by_us(tmp_path, raw) == bytes_by_am(repository, raw, "--keep-cr")


NOTE = (
    "x.mbox has CRLF at the end of every line, as mail software sends it: taken for the mail's line ends, "
    "not for those of the files"
)


def test_crlf_of_the_mail_is_undone_as_git_does(repository: Repository, tmp_path: Path) -> None:
    raw = repository.raw("format-patch", "--stdout", "master~3..master").replace(b"\n", b"\r\n")
    assert as_we_do(tmp_path, raw) == as_am_does(repository, raw)
    assert mails.read(raw, "x.mbox").notes == (NOTE,)


def test_crlf_of_the_mail_leaves_those_of_the_files(repository: Repository, tmp_path: Path) -> None:
    raw = dos(repository).replace(b"\n", b"\r\n")
    files = bytes_by_us(tmp_path, raw)
    assert files == bytes_by_am(repository, raw)
    assert files["mixed"] == b"a\r\nb\nc\r\n"


def test_a_mailbox_with_line_ends_of_its_own(repository: Repository) -> None:
    raw = repository.raw("format-patch", "--stdout", "master~3..master")
    lines = [
        line if line.startswith(b"From ") else line.replace(b"\n", b"\r\n")
        for line in raw.splitlines(keepends=True)
    ]
    found = mails.read(b"".join(lines), "x.mbox")
    assert found.notes == (NOTE,)
    assert [one.files for one in found.patches] == [(FILE,)] * 3
    one = raw.split(b"\nFrom ")[0].replace(b"\n", b"\r\n") + b"\n"
    both = mails.read(one + b"\n" + raw[len(raw.split(b"\nFrom ")[0]) + 1 :], "x.mbox")
    assert both.notes == (NOTE.replace("x.mbox", f"of x.mbox, mail 1 ({both.patches[0].subject[:59]}…)"),)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_line_ends_in_base64(repository: Repository, tmp_path: Path, ends: bytes) -> None:
    dos(repository)
    raw = repository.raw("format-patch", "--stdout", "-1", "dos~1")
    text = raw.split(b"\n\n", 1)[1].replace(b"\n", ends)
    head = b"From: a <a@example.test>\nSubject: errors: x\nContent-Transfer-Encoding: base64\n\n"
    mail = head + base64.encodebytes(text)
    how = "--quoted-cr=strip" if ends == b"\r\n" else "--quoted-cr=nowarn"
    assert bytes_by_us(tmp_path, mail) == bytes_by_am(repository, mail, how)
    assert mails.read(mail, "x.mbox").notes == ((NOTE,) if ends == b"\r\n" else ())


def numbered(repository: Repository, *order: int) -> bytes:
    """The three mails in an order of ours; 0 is a cover letter."""
    raw = repository.raw("format-patch", "--stdout", "--cover-letter", "master~3..master")
    parts = [b"From " + part for part in re.split(rb"^From (?=[0-9a-f]{40} )", raw, flags=re.MULTILINE)[1:]]
    return b"".join(parts[number] for number in order)


def test_cover_letters_are_left_out_and_said(repository: Repository) -> None:
    found = mails.read(numbered(repository, 0, 1, 2, 3), "x.mbox")
    assert len(found.patches) == 3
    assert found.notes == ("mail 1 (*** SUBJECT HERE ***) is a cover letter: left out",)
    with pytest.raises(UsageError, match=r"x.mbox holds no patch"):
        mails.read(numbered(repository, 0), "x.mbox")


def test_the_order_is_that_of_the_numbers(repository: Repository) -> None:
    straight = mails.read(numbered(repository, 1, 2, 3), "x.mbox")
    mixed = mails.read(numbered(repository, 3, 1, 2), "x.mbox")
    assert [one.subject for one in mixed.patches] == [one.subject for one in straight.patches]
    assert [one.name for one in mixed.patches] == [one.name for one in straight.patches]
    assert straight.notes == ()
    assert mixed.notes == ("the mails of x.mbox were put into the order of their [PATCH n/m]",)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ((1, 3), "missing: 2/3"),
        ((1, 2), "missing: 3/3"),
        ((1, 2, 2, 3), "there are several of 2/3"),
        ((0, 3), "missing: 1/3, 2/3"),
    ],
)
def test_a_series_with_gaps(repository: Repository, order: tuple[int, ...], said: str) -> None:
    with pytest.raises(UsageError, match="are not one whole series") as caught:
        mails.read(numbered(repository, *order), "x.mbox")
    assert said in caught.value.what


def test_two_versions_in_one_file(repository: Repository) -> None:
    raw = numbered(repository, 1, 2, 3).replace(b"[PATCH 3/3]", b"[PATCH v2 3/4]")
    with pytest.raises(UsageError, match="they are of series of 3 and of 4"):
        mails.read(raw, "x.mbox")
    raw = numbered(repository, 1, 2, 3).replace(b"[PATCH 3/3]", b"[PATCH]")
    with pytest.raises(UsageError, match=r"these have none: mail 3 \(runtime: c\)"):
        mails.read(raw, "x.mbox")


def test_one_of_several_alone_is_taken_and_said(repository: Repository) -> None:
    found = mails.read(numbered(repository, 2), "0002-x.patch")
    assert len(found.patches) == 1
    assert found.notes == ("0002-x.patch is patch 2 of 3: the others are not in it",)


def test_a_mail_without_a_patch(repository: Repository) -> None:
    answer = b"From: a@example.test\nSubject: Re: [PATCH] runtime: \x1b[31mx\n\nLooks good.\n"
    with pytest.raises(UsageError, match=r"mail 1 \(runtime: \?\[31mx\) of x.mbox holds no patch"):
        mails.read(answer, "x.mbox")


def test_a_bare_diff(repository: Repository) -> None:
    raw = repository.raw("diff", "master~1", "master")
    found = mails.read(raw, "my change.diff")
    (patch,) = found.patches
    assert (patch.name, patch.subject, patch.message) == ("0001-my-change.patch", "", "")
    assert patch.content == raw
    series = mails.series("my-change", found, mails.NOWHERE)
    assert series.subject == "my-change: a diff without a commit message"


def test_a_subject_without_an_end() -> None:
    raw = f"From: a <a@b>\nSubject: {'[PATCH' * 200_000}\n\nBody.\n{DIFF}".encode()
    with pytest.raises(PatchError, match="a subject of more than 1000 characters"):
        mails.read(raw, "x.mbox")


def test_what_git_show_prints(repository: Repository) -> None:
    (patch,) = mails.read(repository.raw("show", "master"), "x").patches
    assert patch.files == (FILE,)
    with pytest.raises(UsageError, match="prints of several commits, the newest first"):
        mails.read(repository.raw("log", "-p", "-2", "master"), "x")


@pytest.mark.parametrize("raw", [b"", b" \n\n"])
def test_nothing(raw: bytes) -> None:
    with pytest.raises(UsageError, match=r"x.mbox is empty"):
        mails.read(raw, "x.mbox")


def test_too_much(monkeypatch: pytest.MonkeyPatch, repository: Repository) -> None:
    raw = numbered(repository, 1, 2, 3)
    monkeypatch.setattr(mails, "MAX_PATCHES", 2)
    with pytest.raises(UsageError, match="holds 3 patches; 2 is the most"):
        mails.read(raw, "x.mbox")
    with pytest.raises(UsageError, match="holds more mails than a series has"):
        mails.read(b"From a\n" * 21, "x.mbox")
    monkeypatch.setattr(mails, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="larger than 100 bytes"):
        mails.read(raw, "x.mbox")


DIFF = f"---\n\ndiff --git a/{FILE} b/{FILE}\n--- a/{FILE}\n+++ b/{FILE}\n@@ -1 +1 @@\n-line 1\n+x\n"


@pytest.mark.parametrize(
    "subject",
    [
        "../../../../etc/passwd",
        "/absolute",
        "..",
        "a\\..\\b: c",
        "-rf --output=x",
        "=?utf-8?q?a=2F..=2Fb=0Ac?=",
        "CON",
        "x" * 500,
        "日本語",
        "",
    ],
)
def test_a_header_makes_no_path(subject: str) -> None:
    raw = f"From: a <a@example.test>\nSubject: [PATCH] {subject}\n\nBody.\n{DIFF}".encode()
    (patch,) = mails.read(raw, "x.mbox").patches
    assert re.fullmatch(r"0001-[A-Za-z0-9][A-Za-z0-9._-]{0,51}\.patch", patch.name)
    assert "\n" not in patch.subject


@pytest.mark.parametrize(
    "mail",
    [
        f"Subject: =?utf-8?q?runtime:_x=E2=80=AEy?=\n\nBody.\n{DIFF}",
        f"Subject: runtime: x\n\nBo\u202edy.\n{DIFF}",
        "Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        + f"Bo=E2=80=AEdy.\n{DIFF}".replace("diff --git a", "diff --git=20a"),
        "Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        + f"Body.\n{DIFF}".replace("+x", "+=E2=80=8Bx"),
    ],
)
def test_what_an_encoding_hides_is_found(mail: str) -> None:
    with pytest.raises(PatchError, match="an invisible or control character"):
        lint.refuse(lint.of(mails.read(f"From: a <a@example.test>\n{mail}".encode(), "x.mbox").patches))


def test_a_path_that_only_the_encoding_shows_is_refused() -> None:
    body = DIFF.replace(FILE, "src/=2E=2E/=2E=2E/x")
    head = "From: a <a@b>\nSubject: x\nContent-Transfer-Encoding: quoted-printable\n\nBody.\n"
    with pytest.raises(PatchError, match="a path that leaves the tree"):
        lint.refuse(lint.of(mails.read((head + body).encode(), "x.mbox").patches))
