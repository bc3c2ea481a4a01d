"""What sendmail says of the values of options, as observed in its test mode."""

from __future__ import annotations

import pytest

from filterd.mta.cf.mailers import Users
from filterd.mta.cf.option_values import EX_USAGE
from filterd.mta.sendmail.cf_files import parse_cf


class Nobody(Users):
    def has_host(self, name: str, family: str) -> bool:
        return family == "inet" and name == "127.0.0.1"


@pytest.mark.parametrize(
    ("line", "told", "status"),
    [
        ("O Timeout.foo=5m", ["settimeout: invalid timeout foo"], 70),
        ("O Timeout.=5m", ["settimeout: invalid timeout "], 70),
        ("O Timeout.queuewarn.foo=4h", ["settimeout: invalid timeout queuewarn.foo"], 70),
        ("O Timeout=5m", [], 0),
        ("OrCOM=1", ["settimeout: invalid timeout COM"], 70),
        ("O Timeout.MAIL=1w2d3h4m5s", [], 0),
        ("O Timeout.mail=5q", ["Invalid time unit `q'"], 0),
        ("O Timeout.mail=M5x", ["Invalid time unit `M'", "Invalid time unit `x'"], 0),
        ("O Timeout.queuereturn.dsn=1x", ["Invalid time unit `x'"] * 2, 0),
        ("O Timeout.resolver.retry=1x", ["Invalid time unit `x'"], 0),
        ("O QueueTimeout=5d/4h", [], 0),
        ("OT3z", ["Invalid time unit `z'"] * 2, 0),
        ("O MinQueueAge=now", [], 0),
        ("O DeliverByMin=-1", [], 0),
        ("O Timeout.ident=-1", [], 0),
        ("O DeliverByMin=--x", ["Invalid time unit `-'", "Invalid time unit `x'"], 0),
        ("Kx host -d 5q", ["Invalid time unit `q'"], 0),
        ("Kx dns -R MX -dx", ["Invalid time unit `x'"], 0),
        ("Qa, P=/q, I=5q", ["Invalid time unit `q'"], 0),
        ("Mx, P=/x, W=5q, A=x $u", ["Invalid time unit `q'"], 0),
        ("Kx syslog -Lfoo", ["syslog_map_parseargs: Unknown priority foo"], 70),
        ("Kx syslog -Rx -Q", ["Illegal option R map syslog"], 70),
        ("O QueueSortOrder=x", ['Invalid queue sort order "x"'], 70),
        ("O QueueSortOrder=Filename", [], 0),
        ("O NoRecipientAction=x", ["Invalid NoRecipientAction: x"], 70),
        ("O ResolverOptions=+AAONLY -x", ["readcf: I option value x unrecognized"], 70),
        ("O Milter.foo=x", ["milter_set_option: invalid Milter option foo"], 70),
        (
            "O Milter=x",
            ["milter_set_option: invalid Milter option, must specify suboption"],
            70,
        ),
        (
            "O DontBlameSendmail=Safe,x y",
            [f"readcf: DontBlameSendmail option: {one} unrecognized" for one in "xy"],
            70,
        ),
        (
            "O ServerSSLOptions=+SSL_OP_NO_SSLv3 -x 0x40",
            ["readcf: ServerSSLOptions option value x unrecognized"],
            70,
        ),
        ("O DefaultUser=", ["readcf: option u: unknown user "], 70),
        ("O RunAsUser=:x", ["readcf: option RunAsUser: unknown user "], 70),
        ("O TrustedUser=", ["readcf: option TrustedUser: unknown user "], 70),
        ("O DaemonPortOptions=Addr=no.host", ['host "no.host" unknown'], 70),
        ("O ClientPortOptions=Addr=no.host, Family=inet6", ['host "no.host" unknown'], 70),
        ("O DaemonPortOptions=Family=1", [], 0),
        (
            "O DaemonPortOptions=Family=99, Addr=127.0.0.1",
            ["address= option unsupported for family 99"],
            70,
        ),
        ("O DefaultUser=1:x", ["readcf: option u: unknown group x"], 70),
        ("O DANE=true", ["readcf: unknown option name DANE"], 70),
        ("Xf, S=inet:1@no.host", ["Xf: Unknown host name no.host"], 70),
        ("Xf, S=inet6:1@127.0.0.1", ["Xf: Unknown host name 127.0.0.1"], 70),
        ("Xf, S=inet:1@[127.0.0.1]", [], 0),
        ("Xf, S=inet:1@[127", ['Xf: Invalid numeric domain spec "[127"'], 70),
        ("Xf, T=C:5q;S:1s, S=inet:1@127.0.0.1", ["Invalid time unit `q'"], 0),
    ],
)
def test_what_is_said_of_a_line(line: str, told: list[str], status: int) -> None:
    cf = parse_cf(f"V10/Berkeley\n{line}\n", "cf", users=Nobody())
    assert cf.notices == [f"cf: line 2: {one}\n" for one in told]
    assert cf.status == status


def test_a_warning_has_no_line() -> None:
    cf = parse_cf("V10/Berkeley\nO AuthOptions=A, pxz\nO TLSSrvOptions=V\n", "cf")
    said = [f"Warning: Option: AuthOptions unknown parameter '{one}'\n" for one in "xz"]
    assert (cf.notices, cf.status) == (said, 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("O DeliveryMode=x", "Unknown delivery mode x"),
        ("Odverify", "Unknown delivery mode v"),
        ("O EightBitMode=", "Unknown 8-bit mode "),
        ("O EightBitMode=x", "Unknown 8-bit mode x"),
        ("O DeliveryMode=", None),
        ("O DeliveryMode=deferred", None),
        ("O EightBitMode=mimefy", None),
    ],
)
def test_after_some_mistakes_sendmail_does_not_read_on(line: str, told: str | None) -> None:
    cf = parse_cf(f"V10/Berkeley\n{line}\nZ\n", "cf")
    assert cf.has_ended is (told is not None)
    if told is not None:
        assert (cf.problems, cf.status) == ([f"cf: line 2: {told}"], EX_USAGE)


@pytest.mark.parametrize(
    ("value", "too_short"),
    [
        ("60", ["header", "field"]),
        ("100", ["header"]),
        ("128/39", ["field"]),
        ("/30", ["field"]),
        ("2048/1024", []),
        ("0/0", []),
        ("-1", []),
        ("x", []),
    ],
)
def test_lengths_of_mime_fields(value: str, too_short: list[str]) -> None:
    least = {"header": 128, "field": 40}
    assert parse_cf(f"V10\nO MaxMimeHeaderLength={value}\n", "cf").notices == [
        f"Warning: MaxMimeHeaderLength: {one} length limit set lower than {least[one]}\n"
        for one in too_short
    ]
