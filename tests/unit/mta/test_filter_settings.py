"""INPUT_MAIL_FILTER: what sendmail reads, and how it complains."""

from __future__ import annotations

import pytest

from filterd.mta.milters.settings import (
    FilterSyntaxError,
    InputMailFilter,
    SocketAddress,
    Timeouts,
    parse_time,
)


@pytest.mark.parametrize(
    ("socket", "address"),
    [
        ("unix:/run/f", SocketAddress("unix", "/run/f")),
        ("local:/run/f", SocketAddress("unix", "/run/f")),
        ("UNIX:/run/f", SocketAddress("unix", "/run/f")),
        ("/run/f", SocketAddress("unix", "/run/f")),
        (":/run/f", SocketAddress("unix", "/run/f")),
        ("inet:8891@127.0.0.1", SocketAddress("inet", "127.0.0.1", 8891)),
        ("inet:smtp@localhost", SocketAddress("inet", "localhost", 25)),
        ("inet:8891@[127.0.0.1]", SocketAddress("inet", "127.0.0.1", 8891)),
        ("inet6:8891@[::1]", SocketAddress("inet6", "::1", 8891)),
    ],
)
def test_sockets(socket: str, address: SocketAddress) -> None:
    assert InputMailFilter.parse(f"f1, S={socket}").address == address


@pytest.mark.parametrize(
    ("flags", "counts"),
    [
        ("", ""),
        ("T", "T"),
        ("R", "R"),
        ("4", "4"),
        ("RT4", "T"),
        ("R4", "4"),
        (" T ", "T"),
        ("t", ""),
        ("Z", ""),
    ],
)
def test_of_several_flags_t_beats_4_beats_r(flags: str, counts: str) -> None:
    assert InputMailFilter.parse(f"f1, S=unix:/s, F={flags}").on_failure == counts


def test_letters_of_flags_add_up_and_the_last_socket_wins() -> None:
    one = InputMailFilter.parse("f1, F=R, S=unix:/a, F=4, S=unix:/b")
    assert (one.flags, one.address.host) == ("R4", "/b")


@pytest.mark.parametrize(
    ("text", "timeouts"),
    [
        ("", Timeouts(300, 10, 10, 300)),
        (", T=C:5m;S:10s;R:10s;E:5m", Timeouts(300, 10, 10, 300)),
        (", T=S:5m;R:5m", Timeouts(300, 300, 300, 300)),
        (", T=C:1w2d3h4m5s;S:30;R:1h30m;E:0", Timeouts(788645, 30, 5400, 0)),
        (", Timeouts=C:1m", Timeouts(60, 10, 10, 300)),
    ],
)
def test_timeouts(text: str, timeouts: Timeouts) -> None:
    assert InputMailFilter.parse(f"f1, S=unix:/s{text}").time_limits == timeouts


@pytest.mark.parametrize(
    ("text", "problems", "status"),
    [
        ("f1", ["Xf1: empty or missing socket information"], 70),
        ("f1, S=, F=T", ["Xf1: empty or missing socket information"], 70),
        (
            "f1, s=unix:/s, f=T",
            [
                "Xf1: unknown filter equate s=",
                "Xf1: unknown filter equate f=",
                "Xf1: empty or missing socket information",
            ],
            70,
        ),
        ("f1, S=unix:/s, F", ["Xf1: `=' expected"], 78),
        ("f1, S=unix:/s, Q=1", ["Xf1: unknown filter equate Q="], 70),
        ("f1, S=tcp:8891@127.0.0.1", ["Xf1: unknown socket type tcp: Protocol not supported"], 71),
        ("f1, S=unix:/s, T=C=1m;S=2m", ["Xf1, T=: `:' expected"], 70),
        ("f1, S=unix:/s, T=R:3m;", ["Xf1, T=: `:' expected"], 70),
        ("f1, S=unix:/s, T=X:1m;R:3m", ["Xf1: unknown filter timeout X"], 70),
        ("f1, S=unix:/s, T=C:1m,S:2m", ["Xf1: `=' expected"], 78),
        ("", ["name required for mail filter"], 70),
    ],
)
def test_complaints_are_sendmails(text: str, problems: list[str], status: int) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        InputMailFilter.parse(text)
    assert caught.value.problems == problems
    assert caught.value.status == status


def test_a_path_too_long_for_a_socket_is_refused() -> None:
    with pytest.raises(FilterSyntaxError, match="too long"):
        InputMailFilter.parse(f"f1, S=unix:/{'x' * 120}")


def test_the_lectures_plus_gets_a_hint() -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        InputMailFilter.parse("mimedefang, S=unix:/s, F=T,T+S:5m;R:5m")
    assert caught.value.problems == ["Xmimedefang: `=' expected"]
    assert caught.value.hint == "expected T=S:5m;R:5m"


def test_a_member_of_postfixs_list() -> None:
    one = InputMailFilter.parse_postfix(
        "f1", "{ unix:/s, default_action=accept, command_timeout=5s content_timeout=2m }"
    )
    assert (one.default_action, one.command_timeout, one.content_timeout) == ("accept", 5, 120)
    assert one.address == SocketAddress("unix", "/s")
    with pytest.raises(FilterSyntaxError, match="unknown argument"):
        InputMailFilter.parse_postfix("f1", "{ unix:/s, colour=red }")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1m30s", 90), ("2h", 7200), ("", 0)])
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds
