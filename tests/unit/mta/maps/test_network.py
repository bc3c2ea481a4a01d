"""Maps that ask name servers, daemons, directories and programs."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from filterd.mta.maps.opening import MapSite
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import ResolverSettings
from tests.helpers.maps import Values, look, look_in, maps_of
from tests.helpers.name_server import Question, name_server, zone
from tests.helpers.process import free_port

pytestmark = pytest.mark.server

ZONE = zone(
    "far.test 60 MX 10 mx1.far.test.",
    "far.test 60 A 192.0.2.10",
    "www.far.test 60 A 192.0.2.12",
    "two.test 60 MX 20 mx1.far.test.",
    "two.test 60 MX 10 one.two.test.",
    "null.test 60 MX 0 .",
    "cname.test 60 CNAME www.far.test.",
    'text.test 60 TXT "some text; here"',
    "11.2.0.192.in-addr.arpa 60 PTR host.example.test.",
    soa="test 60 SOA ns.test h.test 1 2 3 4 30",
)


def _say(question: Question) -> bytes:
    if question.name == "servfail.test":
        return question.answer(rcode="SERVFAIL")
    return ZONE(question)


@pytest.fixture(scope="module")
def site() -> Iterator[MapSite]:
    with name_server(_say) as server:
        resolver = Resolver(ResolverSettings(nameservers=(server.address,), timeout=5.0))
        yield MapSite(resolver=resolver)
        resolver.close()


@pytest.fixture
def options(tmp_path: Path, monkeypatch) -> tuple[str, ...]:
    monkeypatch.setattr("filterd.mta.maps.hosts.SYSTEM_HOSTS", tmp_path / "hosts")
    (tmp_path / "switch").write_text("# x\nhosts\tdns files\npasswd files\n")
    (tmp_path / "hosts").write_text(
        "127.0.0.1 localhost\n192.0.2.7 short full.host.test # x\n::1 six\n"
    )
    return (f"O ServiceSwitchFile={tmp_path}/switch", f"O HostsFile={tmp_path}/hosts")


DNS = [
    ("dns -R A", "far.test", "192.0.2.10", 0),
    ("dns -R A", "cname.test", "192.0.2.12", 0),
    ("dns -R A", "null.test", None, 68),
    ("dns -R A", "nowhere.test", None, 68),
    ("dns -R A", "servfail.test", None, 75),
    ("dns -R A", "a..b", None, 68),
    ("dns -R MX -a.", "far.test", "mx1.far.test.", 0),
    ("dns -R MX -a.", "null.test", ".", 0),
    ("dns -R CNAME", "cname.test", "www.far.test", 0),
    ("dns -R TXT", "text.test", "some text; here", 0),
    ("dns -R PTR", "11.2.0.192.in-addr.arpa", "host.example.test", 0),
    ("dns -R A -B far.test", "www", "192.0.2.12", 0),
    ("dns -R A -m -a<OK>", "far.test", "far.test<OK>", 0),
    ("dns", "far.test", None, 68),
    ("bestmx", "far.test", "mx1.far.test.", 0),
    ("bestmx", "www.far.test", "www.far.test.", 0),
    ("bestmx -z:", "two.test", "one.two.test.:mx1.far.test.", 0),
    ("bestmx", "null.test", None, 69),
    ("bestmx", "cname.test", None, 0),
    ("bestmx", "text.test", None, 0),
    ("bestmx", "nowhere.test", None, 68),
    ("bestmx", "servfail.test", None, 75),
    ("host -a.", "far.test", "far.test.", 0),
    ("host -a.", "null.test", "null.test.", 0),
    ("host -a.", "cname.test", "www.far.test.", 0),
    ("host -a.", "text.test", None, 68),
    ("host -a.", "nowhere.test", None, 68),
    ("host -a.", "short", "full.host.test.", 0),
    ("host -a.", "localhost", "localhost.example.test.", 0),
    ("host -m -a<OK>", "far.test", "far.test<OK>", 0),
    ("host -a.", "[192.0.2.11]", "host.example.test.", 0),
    ("host -a.", "[192.0.2.7]", "short.", 0),
    ("host -a.", "[IPv6:::1]", "six.", 0),
    ("host -a.", "[192.0.2.99]", None, 68),
    ("host -a.", "[192.0.2.99", None, 0),
    ("host -a.", "[x]", None, 69),
    ("host -a.", "[192.0.2.999]", None, 69),
    ("host -a.", "[255.255.255.255]", None, 69),
    ("host -a.", "[]", None, 68),
    ("host -a.", "[IPv6:x]", None, 68),
    ("host -a.", "[192.0x0.519]", "short.", 0),
    ("host -a.", "[192.0.2.7 ]", "short.", 0),
]


@pytest.mark.parametrize(("line", "key", "value", "status"), DNS)
def test_what_the_name_server_says(
    site: MapSite, options: tuple[str, ...], line: str, key: str, value: str | None, status: int
) -> None:
    macros = Values(m="example.test")
    map = maps_of(*options, f"Kx {line}", macros=macros, site=site).find("x")
    assert map is not None
    answer = map.lookup(key)
    assert (answer.value, answer.status, answer.complaint) == (value, status, "")


def test_records_that_are_not_asked_for_are_a_temporary_failure(site: MapSite) -> None:
    answer = look("Kx dns -R SRV", "far.test", site=site)
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == 'dns map "x": records of type SRV are not supported'


def test_several_records_are_joined_up_to_a_number(site: MapSite, options: tuple[str, ...]) -> None:
    found = look_in((*options, "Kx dns -R MX -z+"), "two.test", site=site).value
    assert found is not None
    assert set(found.split("+")) == {"mx1.far.test", "one.two.test"}
    found = look_in((*options, "Kx dns -R MX -z+ -Z1"), "two.test", site=site).value
    assert found in ("mx1.far.test", "one.two.test")


def test_a_name_server_that_fails_is_told(site: MapSite, options: tuple[str, ...]) -> None:
    answer = look_in((*options, "Kx host -a."), "servfail.test", site=site)
    assert (answer.value, answer.status, answer.trouble) == (None, 75, 0)
    assert answer.complaint == "servfail.test: Name server timeout"


def test_without_dns_in_the_service_switch_only_the_file_counts(
    site: MapSite, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "switch").write_text("hosts files\n")
    lines = (*options, "Kx host -a.")
    assert look_in(lines, "far.test", site=site).status == 68
    assert look_in(lines, "short", site=site).value == "full.host.test."
    assert look_in((*options, "Kx bestmx"), "far.test", site=site).value is None


def test_the_map_host_is_there_without_a_line(site: MapSite, options: tuple[str, ...]) -> None:
    host = maps_of(*options, site=site).find("HOST")
    assert host is not None
    assert host.lookup("far.test").value == "far.test."
    assert host.rests_when_deferred


# user


def test_users_of_the_system() -> None:
    assert look("Kx user", "root").value == "root"
    assert look("Kx user -m -a<>", "root").value == "root<>"
    assert look("Kx user -v uid", "root").value == "0"
    assert look("Kx user -v passwd", "root").value == "x"
    assert look("Kx user", "no-such-user").status == 67
    answer = look("Kx user -v nope", "root")
    assert answer.status == 75
    assert answer.complaint == "User map x: unknown column name nope"


# program

PROGRAMS = MapSite(allows_programs=True)


@pytest.mark.parametrize(
    ("line", "value", "status"),
    [
        ("program /bin/echo got", "got a b", 0),
        ("program -m /bin/echo x", "a b", 0),
        ("program -a.z /bin/echo", "a b.z", 0),
        ("program /bin/false", None, 1),
        ("program /bin/true", None, 0),
        ("program /no/such", None, 78),
    ],
)
def test_a_program_gets_the_key_as_its_last_argument(
    line: str, value: str | None, status: int
) -> None:
    user = "O DefaultUser=root"
    answer = look_in((user, f"Kx {line}"), "a b", site=PROGRAMS)
    assert (answer.value, answer.status) == (value, status)


def test_programs_run_only_where_that_is_allowed(tmp_path: Path) -> None:
    answer = look(f"Kx program /usr/bin/touch {tmp_path}/x", "y")
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == (
        'program map "x": programs are not allowed, /usr/bin/touch is not run'
    )
    assert not any(tmp_path.iterdir())


def test_a_program_that_does_not_end_is_a_temporary_failure(monkeypatch) -> None:
    monkeypatch.setattr("filterd.mta.maps.system.PROGRAM_TIMEOUT", 0.2)
    answer = look("Kx program /bin/sleep", "60", site=PROGRAMS)
    assert (answer.status, answer.complaint) == (75, "prog_map_lookup(x): no answer within 0.2 s")


# socket


@contextmanager
def _daemon(*replies: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answers one question after the other; an empty reply closes the connection."""
    asked: list[bytes] = []
    left = list(replies)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while left:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                while left and (data := peer.recv(65536)):
                    asked.append(data)
                    reply = left.pop(0)
                    if not reply:
                        break
                    peer.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], asked
    left.clear()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


SOCKET = [
    (b"8:OK value,", "value", 0, ""),
    (b"3:OK ,", "", 0, ""),
    (b"9:NOTFOUND ,", None, 68, ""),
    (b"8:NOTFOUND,", None, 68, ""),
    (b"9:TEMP busy,", None, 75, ""),
    (b"7:TIMEOUT,", None, 75, ""),
    (b"8:PERM bad,", None, 69, ""),
    (b"3:WHY,", None, 76, ""),
    (b"x", None, 75, "missing ':' in reply"),
    (b":", None, 75, "failed to read length parameter of reply"),
    (b"999999:", None, 75, "reply too long: 999999"),
    (b"2:OK;", None, 75, "missing ',' in reply"),
    (b"", None, 75, "received only 0 of 1 reply characters"),
]


@pytest.mark.parametrize(("reply", "value", "status", "complaint"), SOCKET)
def test_a_daemon_is_asked_in_netstrings(
    reply: bytes, value: str | None, status: int, complaint: str
) -> None:
    with _daemon(reply) as (port, asked):
        answer = look(f"Kx socket inet:{port}@127.0.0.1", "KEY")
    assert (answer.value, answer.status) == (value, status)
    assert answer.complaint == (f"socket_map_lookup(x): {complaint}" if complaint else "")
    assert asked == [b"5:x key,"]


def test_a_connection_is_used_again_and_made_anew_after_a_failure() -> None:
    with _daemon(b"6:OK one,", b"6:OK two,", b"", b"8:OK three,") as (port, asked):
        map = maps_of(f"Kx socket -f inet:{port}@127.0.0.1").find("x")
        assert map is not None
        assert map.lookup("A").value == "one"
        assert map.lookup("A").value == "two"
        assert map.lookup("A").status == 75
        assert map.lookup("A").value == "three"
    assert asked == [b"3:x A,"] * 4


SOCKET_MISTAKES = [
    ("foo:bar", "unknown socket type foo: Protocol not supported"),
    ("inet:99", "bad address 99 (expected port@host)"),
    ("inet:99@[x]", 'Invalid numeric domain spec "[x]"'),
    ("unix:/no/such", "local socket name /no/such unsafe: No such file or directory"),
    ("inet:no-such-port@127.0.0.1", "unknown port name no-such-port"),
]


@pytest.mark.parametrize(("place", "complaint"), SOCKET_MISTAKES)
def test_where_a_daemon_cannot_be(place: str, complaint: str) -> None:
    answer = look(f"Kx socket {place}", "key")
    assert (answer.status, answer.complaint) == (75, f'socket map "x": {complaint}')


def test_a_daemon_that_does_not_run_is_a_temporary_failure() -> None:
    answer = look(f"Kx socket inet:{free_port()}@127.0.0.1", "key")
    assert (answer.value, answer.status) == (None, 75)


# ldap


def test_a_directory_that_does_not_answer_is_a_temporary_failure() -> None:
    answer = look(f"Kx ldap -1 -h 127.0.0.1 -p {free_port()} -k (uid=%0) -v mail", "joe")
    assert (answer.status, answer.trouble) == (75, 71)
    assert answer.complaint == (
        "ldap_init/ldap_bind failed to 127.0.0.1 in map x: Transport endpoint is not connected"
    )


def test_without_the_package_a_directory_is_a_temporary_failure(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ldap3", None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answer = look(f"Kx ldap -H ldap://127.0.0.1:{port} -k (uid=%0)", "joe")
    assert answer.status == 75
    assert answer.complaint.endswith("in map x: the package ldap3 is missing (extra ldap)")


PEOPLE = {
    "(uid=joe)": [{"mail": [b"joe@a.test", b"j@b.test"], "cn": [b"Joe"]}],
    r"(uid=\2a\29)": [{"mail": [b"star@a.test"]}],
    "(uid=two)": [{"mail": [b"1@a.test"]}, {"mail": [b"2@a.test"]}],
}


class _LdapError(Exception):
    pass


class _Connection:
    """As the package has it, with a directory of three searches."""

    def __init__(self, server: object, **options: object) -> None:
        self.response: list[dict[str, object]] = []

    def search(self, base: str, filter: str, **options: object) -> None:
        if filter == "(uid=down)":
            raise _LdapError("server is down")
        self.response = [
            {"type": "searchResEntry", "dn": f"uid,{base}", "raw_attributes": one}
            for one in PEOPLE.get(filter, [])
        ] + [{"type": "searchResRef"}]


LDAP = [
    ("-v mail", "joe", "joe@a.test", 0),
    ("-v mail -z,", "joe", "joe@a.test,j@b.test", 0),
    ("-v mail,cn -z,", "joe", "joe@a.test,j@b.test,Joe", 0),
    ("-v mail -z, -V=", "joe", "mail=joe@a.test,mail=j@b.test", 0),
    ("-v mail -n", "joe", "mail", 0),
    ("-v mail -m -a.x", "joe", "joe.x", 0),
    ("-v mail", "*)", "star@a.test", 0),
    ("-v mail -z,", "two", "1@a.test,2@a.test", 0),
    ("-1 -v mail", "two", None, 68),
    ("-v other", "joe", None, 68),
    ("-v mail", "nobody", None, 68),
    ("-v mail", "down", None, 75),
]


@pytest.mark.parametrize(("letters", "key", "value", "status"), LDAP)
def test_what_a_directory_says(
    monkeypatch, letters: str, key: str, value: str | None, status: int
) -> None:
    package = ModuleType("ldap3")
    package.__dict__.update(
        Server=lambda *place, **options: place,
        Connection=_Connection,
        ALL_ATTRIBUTES="*",
        core=SimpleNamespace(exceptions=SimpleNamespace(LDAPException=_LdapError)),
    )
    monkeypatch.setitem(sys.modules, "ldap3", package)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        line = f'Kx ldap {letters} -h 127.0.0.1 -p {port} -b "dc=a, dc=test" -k (uid=%0)'
        answer = look(line, key)
    assert (answer.value, answer.status) == (value, status)
    assert answer.entry == ("uid,dc=a, dc=test" if value is not None else "")
