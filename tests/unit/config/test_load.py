"""The settings file: right ones are read and frozen, wrong ones named by file, line and key."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from filterd.config.lines import Lines
from filterd.config.load import SIZE_LIMIT, ConfigError, Settings, load
from filterd.config.sample import sample, toml_value
from filterd.filters.clamav.settings import ClamAVSettings


def write(folder: Path, text: str) -> Path:
    path = folder / "filterd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_and_defaults(tmp_path: Path) -> None:
    settings = load(
        write(
            tmp_path,
            """
            [daemon]
            socket = "inet:8899@127.0.0.1"
            socket_mode = 0o600
            spool = "spool"

            [chain]
            filters = ["gtube"]
            timeout = 20

            [policy]
            reject = inf

            [[policy.rules]]
            name = "sales"
            recipients = ["sales@mx.test"]
            quarantine = 12.5

            [filters.gtube]
            on_error = "continue"
            """,
        )
    )
    assert settings.daemon.socket == "inet:8899@127.0.0.1"
    assert settings.daemon.socket_mode == 0o600
    assert settings.daemon.spool == tmp_path / "spool", "counted from the file's folder"
    assert settings.daemon.log_to == "stderr"
    assert (settings.chain.filters, settings.chain.timeout) == (("gtube",), 20.0)
    assert settings.policy.reject == float("inf")
    assert settings.policy.rules[0].quarantine == 12.5
    assert settings.filters["gtube"].link.on_error == "continue"
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.daemon.socket = "x"  # type: ignore[misc]


# What the file says → the line number, the key, and words that must stand in the error.
MISTAKES = {
    "unknown section": ("[demon]\nx = 1", 1, "demon", "did you mean 'daemon'"),
    "unknown key": ("[daemon]\n\nsoket = 'x'", 3, "daemon.soket", "did you mean 'socket'"),
    "a socket in Postfix's words": (
        "[daemon]\n\nsocket = 'inet:127.0.0.1:8894'",
        3,
        "daemon.socket",
        "expected unix:/path, inet:port@host or inet6:port@host; "
        "Postfix writes it that way, here it is inet:8894@127.0.0.1",
    ),
    "a socket without its kind": ("[daemon]\nsocket = 'run/f.sock'", 2, "daemon.socket", "not a"),
    "a socket whose path is too long": (
        f"[daemon]\nsocket = 'unix:/{'x' * 107}'",
        2,
        "daemon.socket",
        "longer than 107 bytes",
    ),
    "wrong type": ("[workers]\ncount = '2'", 2, "workers.count", "valid integer"),
    "decimal mode": ("[daemon]\nsocket_mode = 660", 2, "daemon.socket_mode", "expected 0o660"),
    "no mode": ("[daemon]\nsocket_mode = '0680'", 2, "daemon.socket_mode", 'or "0660"'),
    "a mode of a program": ("[daemon]\nsocket_mode = 0o4755", 2, "daemon.socket_mode", "0o660"),
    "true is no mode": ("[daemon]\nsocket_mode = true", 2, "daemon.socket_mode", "not a file mode"),
    "no number for a bool": ("[policy]\nkeep_rejected = 1", 2, "policy.keep_rejected", "boolean"),
    "not one of the words": (
        "[daemon]\nlog_to = 'file'",
        2,
        "daemon.log_to",
        "'stderr' or 'syslog'",
    ),
    "out of range": ("[chain]\ntimeout = 0", 2, "chain.timeout", "greater than 0"),
    "contradiction": ("[policy]\nlabel = 5\nreject = 2", 3, "policy.reject", "above reject = 2"),
    "contradiction with a line": ("[policy]\nquarantine = 20", 2, "policy.quarantine", "above"),
    "a rule's unknown key": (
        "[[policy.rules]]\nname = 'a'\n[[policy.rules]]\nrejct = 2",
        4,
        "policy.rules[2].rejct",
        "did you mean 'reject'",
    ),
    "a rule's wrong network": (
        "[[policy.rules]]\nclients = ['1.2.3']",
        2,
        "policy.rules[1].clients[1]",
        "is not a network",
    ),
    "a rule's wildcard": (
        "[[policy.rules]]\nrecipients = ['ann@mx.test', '*.mx.test']",
        2,
        "policy.rules[1].recipients[2]",
        'written ".mx.test"',
    ),
    "a rule's address with a name": (
        "[[policy.rules]]\nrecipients = ['Joe <joe@mx.test>']",
        2,
        "policy.rules[1].recipients[1]",
        'expected "joe@mx.test"',
    ),
    "two addresses in one": (
        "[[filters.parts.rules]]\nname = 'a'\n[[filters.parts.rules]]\n"
        "recipients = ['joe@mx.test, ann@mx.test']",
        4,
        "filters.parts.rules[2].recipients[1]",
        "several addresses",
    ),
    "a digest's wrong domain": (
        "[digest]\ndomains = ['mx.test', 'joe@mx.test']",
        2,
        "digest.domains[2]",
        'expected "mx.test"',
    ),
    "a notice to the sender": (
        "[notices]\nsender = 'root@mx.test'\nheld = ['sender']",
        3,
        "notices.held[1]",
        "may be forged",
    ),
    "a notice to recipients of any site": (
        "[notices]\nsender = 'root@mx.test'\nheld = ['recipient']",
        3,
        "notices.held[1]",
        'expected domains = ["mx.example"]',
    ),
    "a notice to no admin": (
        "[notices]\nsender = 'root@mx.test'\nfull = ['admin']",
        3,
        "notices.full[1]",
        "stands for nobody",
    ),
    "a notice from nobody": (
        "[notices]\nfull = ['root@mx.test']",
        1,
        "notices.sender",
        "is not an address",
    ),
    "a notice with a line break in it": (
        '[notices]\nsender = "root@mx.test\\r\\nBcc: all@x.test"',
        2,
        "notices.sender",
        "is not an address",
    ),
    "a notice about a filter to its recipient": (
        "[notices]\nsender = 'root@mx.test'\ndomains = ['mx.test']\nfailed = ['recipient']",
        4,
        "notices.failed[1]",
        "has no recipient",
    ),
    "a notice without a history": (
        "[notices]\nsender = 'root@mx.test'\nheld = ['root@mx.test']\n[history]\nenabled = false",
        3,
        "notices.held",
        "the history is off",
    ),
    "a notice about accounts that nobody judges": (
        "[notices]\nsender = 'root@mx.test'\naccount = ['root@mx.test']",
        3,
        "notices.account",
        'expected "rates" in chain.filters',
    ),
    "a webhook in the clear": (
        "[[notices.webhooks]]\nurl = 'http://hooks.test/'\nsecret = '/s'",
        2,
        "notices.webhooks[1].url",
        "expected https://",
    ),
    "a webhook with a password": (
        "[[notices.webhooks]]\nurl = 'https://a:b@hooks.test/'\nsecret = '/s'",
        2,
        "notices.webhooks[1].url",
        "without a name",
    ),
    "a webhook's port": (
        "[[notices.webhooks]]\nurl = 'https://hooks.test:99999/'\nsecret = '/s'",
        2,
        "notices.webhooks[1].url",
        "is not of the form",
    ),
    "a webhook without a secret": (
        "[[notices.webhooks]]\nurl = 'https://hooks.test/'",
        1,
        "notices.webhooks[1].secret",
        "",
    ),
    "unknown filter": ("[chain]\nfilters = ['gtub']", 2, "chain.filters", "there are:"),
    "filter twice": ("[chain]\nfilters = ['gtube', 'gtube']", 2, "chain.filters", "twice"),
    "a filter's unknown key": (
        "[filters.gtube]\non_eror = 'continue'",
        2,
        "filters.gtube.on_eror",
        "did you mean 'on_error'",
    ),
    "a filter's wrong value": (
        "[filters.gtube]\non_error = 'pass'",
        2,
        "filters.gtube.on_error",
        "'tempfail', 'continue' or 'quarantine'",
    ),
    "a section that is none": ("chain = 3", 1, "chain", "expected a heading [chain]"),
}


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(tmp_path: Path, text: str, line: int, key: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    error = str(caught.value)
    assert error.startswith(f"{path}:{line}: {key}: "), error
    assert words in error
    assert "\n" not in error


# Mistakes of one file: each is told, and nothing that only follows from another.
MANY = """\
demon = 1
[daemon]
soket = "x"
socket_mode = 660
[chain]
filters = ["gtub", "gtube", "gtube"]
timeout = 0
[policy]
label = 9
quarantine = 8
[[policy.rules]]
rejct = 2
recipients = ["*.mx.test", "joe@mx.test", "Joe <joe@mx.test>"]
clients = ["1.2.3"]
[[policy.rules]]
label = "x"
quarantine = 3
reject = 1
[digest]
enabled = true
sender = 5
at = ["07:00", "7", "25:00"]
[web]
listen = "0.0.0.0"
url = "mail"
[filters.clamav]
server = ["here", "unix:/path", "tcp:host:99999"]
silence = "x"
[filters.parts]
media_types = ["exe", "a/b"]
notice = "$what"
[[filters.parts.rules]]
direction = "up"
media_types = ["zip"]
[[mta.filters]]
name = "x"
"""
TOLD = [
    (1, "demon"),
    (3, "daemon.soket"),
    (4, "daemon.socket_mode"),
    (6, "chain.filters"),
    (6, "chain.filters"),
    (7, "chain.timeout"),
    (9, "policy.label"),
    (12, "policy.rules[1].rejct"),
    (13, "policy.rules[1].recipients[1]"),
    (13, "policy.rules[1].recipients[3]"),
    (14, "policy.rules[1].clients[1]"),
    (16, "policy.rules[2].label"),
    (17, "policy.rules[2].quarantine"),
    (21, "digest.sender"),
    (22, "digest.at[2]"),
    (22, "digest.at[3]"),
    (24, "web.listen"),
    (25, "web.url"),
    (27, "filters.clamav.server[1]"),
    (27, "filters.clamav.server[3]"),
    (28, "filters.clamav.silence"),
    (30, "filters.parts.media_types[1]"),
    (31, "filters.parts.notice"),
    (33, "filters.parts.rules[1].direction"),
    (34, "filters.parts.rules[1].media_types[1]"),
    (35, "mta.filters[1].socket"),
]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, MANY)
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = str(caught.value).split("\n")
    told = [re.match(rf"{re.escape(str(path))}:(\d+): (\S+): \S", line) for line in lines]
    assert [(int(one[1]), one[2]) if one else one for one in told] == TOLD


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[daemon\n", "not TOML"),
        (b"x = '\xff'", "octet 5 is not UTF-8"),
        (b"\xef\xbb\xbfx = '\xff'", "octet 8 is not UTF-8"),
        ("[daemon]\n".encode("utf-16"), "is UTF-16, expected UTF-8"),
        (b"\xfe\xff" + "[daemon]\n".encode("utf-16-be"), "is UTF-16, expected UTF-8"),
        ("[daemon]\n".encode("utf-16-le"), "is UTF-16, expected UTF-8"),
        ("[daemon]\n".encode("utf-32"), "is UTF-32, expected UTF-8"),
        (b"[daemon]\nlog_to = 'sys\0log'\n", "octet 22 is NUL"),
        (b"#" * (SIZE_LIMIT + 1), "this is not a settings file"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "filterd.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file.*filterd init"):
        load(tmp_path / "none.toml")


def test_without_a_file_the_defaults_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("filterd.system.paths.SYSTEM_CONFIG", tmp_path / "none.toml")
    settings = load(None)
    assert settings.source is None
    assert settings.policy.label == 5.0


@pytest.mark.slow
def test_the_sample_file_is_right_whether_keys_are_commented_out_or_not(tmp_path: Path) -> None:
    text = sample({"chain": {"filters": ["gtube"]}})
    settings = load(write(tmp_path, text))
    assert settings.chain.filters == ("gtube",)
    # What has keys without a default stays commented out.
    needy = r"mta\.filters|(?:ldap|oidc)\.roles|notices\.webhooks|filters\.(?:scanners\.clamd"
    needy += r"|(?:dns|local)lists\.lists|rates\.limits|recipients\.servers|sign\.keys)"
    arrays = rf"#\[\[(?:{needy})\]\].*?\n\n\n"
    text = re.sub(arrays, "\n\n", text, flags=re.DOTALL)
    uncommented = "\n".join(
        line[1:] if line.startswith("#[[") or re.match(r"#\w+ = ", line) else line
        for line in text.splitlines()
    )
    assert load(write(tmp_path, uncommented)).daemon == load(None).daemon


def test_every_key_of_the_sample_is_explained() -> None:
    lines = sample({}).splitlines()
    for number, line in enumerate(lines):
        key = line.lstrip("#").split(" =")[0]
        if " =" in line and not line.startswith("# ") and key.isidentifier():
            assert lines[number - 1].startswith("#"), f"{line!r} has no explanation above it"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (5.0, "5.0"),
        (float("inf"), "inf"),
        ('say "hi"\n\x01', '"say \\"hi\\"\\n\\u0001"'),
        (("a", "b"), '["a", "b"]'),
        ({"k": 1}, '{"k" = 1}'),
    ],
)
def test_toml_values(value: object, text: str) -> None:
    assert toml_value(value) == text


def test_lines_are_found_past_strings_that_look_like_keys() -> None:
    lines = Lines('[a]\nx = """\n[b]\ny = 1\n"""\ny = 2\n[a.c]\nz.w = 1\n')
    assert lines.find(("a", "y")) == 6
    assert lines.find(("a", "c", "z", "w")) == 8
    assert lines.find(("a", "c", "other")) == 7
    assert lines.find(("nowhere",)) == 1


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0o660", 0o660), ("432", 0o660), ('"0660"', 0o660), ('"660"', 0o660), ('"0o600"', 0o600)],
)
def test_a_file_mode_is_octal(tmp_path: Path, written: str, mode: int) -> None:
    path = write(tmp_path, f"[daemon]\nsocket_mode = {written}\n")
    assert load(path).daemon.socket_mode == mode


def test_a_byte_order_mark_and_dos_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "filterd.toml"
    path.write_bytes(b"\xef\xbb\xbf[chain]\r\ntimeout = 7\r\n")
    assert load(path).chain.timeout == 7
    path.write_bytes(b"\xef\xbb\xbf[chain]\r\ntimeout = 0\r\n")
    with pytest.raises(ConfigError, match=r":2: chain\.timeout"):
        load(path)


def test_settings_of_nobodys_file_are_whole(tmp_path: Path) -> None:
    """As those of an empty file: each filter of the chain has its defaults."""
    read = load(write(tmp_path, ""))
    made = Settings()
    assert made.in_chain(ClamAVSettings) == read.in_chain(ClamAVSettings) != {}
    assert dict(made.filters) == dict(read.filters)
    one = Settings(chain=dataclasses.replace(made.chain, filters=("gtube",)))
    assert list(one.filters) == ["gtube"]


def test_a_filter_with_a_mistake_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    text = """
    [chain]
    filters = ["gtube", "clamav", "no-such", "clamav"]
    [filters.clamav]
    silence = -1
    [digest]
    enabled = true
    sender = "postmaster@mx.example"
    """
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    for words in ("no filter 'no-such'", "filters.clamav.silence", "twice", "web.url is not set"):
        assert words in str(caught.value)
