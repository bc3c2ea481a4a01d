"""What the running daemon tells of itself: control socket, history, metrics, reload."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import stat
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner, Result

from filterd.chain.checks import AnswerError
from filterd.chain.report import Arrival
from filterd.cli.app import _command
from filterd.config.assembly import open_history
from filterd.config.load import ConfigError, load
from filterd.daemon.exporter import Exporter, MetricsError
from filterd.daemon.stats import BUCKETS, Stats
from filterd.doctor import servers
from filterd.history import History, HistoryQuery, HistorySettings, Record
from filterd.history.recorder import Recorder
from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    Dkim2Check,
    DkimCheck,
    DmarcCheck,
    SpfCheck,
)
from filterd.ops.control import ask, control_path
from filterd.ops.json_socket import QUESTION_LIMIT, AskError, RequestRefusedError
from filterd.ops.status import status
from filterd.workers.codec import decode_report
from tests.helpers.daemon import PLUGIN, NewDaemon, RunningDaemon
from tests.helpers.metrics import metrics
from tests.helpers.process import free_port, wait_for
from tests.helpers.reports import report
from tests.helpers.scanner import Scanner, clean


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def command(name: str, daemon: RunningDaemon, *arguments: str) -> Result:
    return CliRunner().invoke(_command(name), [*arguments, "--config", str(daemon.config)])


def rows(daemon: RunningDaemon) -> tuple[Record, ...]:
    return open_history(load(daemon.config)).search(HistoryQuery()).rows


def raw(daemon: RunningDaemon, question: bytes) -> object:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(daemon.folder / "s.control"))
        peer.sendall(question)
        with peer.makefile("rb") as answer:
            return json.loads(answer.readline())


def test_the_daemon_tells_how_it_does(daemon: RunningDaemon) -> None:
    settings = load(daemon.config)
    before = ask(settings, "status")
    assert daemon.told("x").word == "continue"
    daemon.told("raise")
    after = ask(settings, "status")
    assert after["messages"]["accept"] == before["messages"]["accept"] + 1
    assert after["messages"]["tempfail"] == before["messages"]["tempfail"] + 1
    assert (after["workers"], after["queue"], after["in_flight"]) == (2, 0, 0)
    assert abs(after["started"] - time.time()) < 300
    one = after["filters"]["misbehaving"]
    assert one["errors"]["error"] == before["filters"]["misbehaving"]["errors"].get("error", 0) + 1
    assert one["last_failure"]["detail"].startswith("error: ")
    told = status(settings)
    assert (told.daemon.workers, told.daemon.pid) == (2, daemon.process.pid)
    assert told.filters[0].last_failure_id == one["last_failure"]["id"]
    result = command("status", daemon)
    assert (result.exit_code, "2 workers" in " ".join(result.stdout.split())) == (0, True)


def test_a_worker_that_died_is_counted(daemon: RunningDaemon) -> None:
    settings = load(daemon.config)
    before = ask(settings, "status")["worker_deaths"]
    daemon.told("kill")
    wait_for("a death", lambda: ask(settings, "status")["worker_deaths"] > before)


NO_JSON = "the request is not a line of JSON"
NO_QUESTION = "expected one of status, reload, failed, learn"


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (b"nonsense\n", NO_JSON),
        (b"[" * 4000 + b"\n", NO_JSON),
        (b"x" * (QUESTION_LIMIT + 1), NO_JSON),
        (b"[" * 4000 + b"]" * 4000 + b"\n", NO_JSON),
        (b"[]\n", NO_QUESTION),
        (b'{"ask": "stop"}\n', NO_QUESTION),
        (b'{"ask": ["status"]}\n', NO_QUESTION),
    ],
)
def test_what_is_no_question(daemon: RunningDaemon, question: bytes, says: str) -> None:
    assert raw(daemon, question) == {"error": says}


NO_LESSON = "malformed request to learn: "
LESSON: dict[str, object] = {
    "class": "spam",
    "ids": ["id1"],
    "who": "web:ann",
    "source": "web",
    "note": "",
    "own_models": [],
}


@pytest.mark.parametrize(
    ("lesson", "says"),
    [
        (None, f"{NO_LESSON}expected an object with class, ids, who, source, note"),
        ({**LESSON, "more": 1}, f"{NO_LESSON}expected an object with class, ids"),
        ({**LESSON, "ids": "id1"}, f"{NO_LESSON}ids: expected an array of strings"),
        ({**LESSON, "ids": [1]}, f"{NO_LESSON}ids: expected an array of strings"),
        ({**LESSON, "class": "eggs"}, f"{NO_LESSON}class: expected spam or ham"),
        (LESSON, "id1"),
    ],
    ids=["none", "more", "no list", "numbers", "class", "unknown message"],
)
def test_what_cannot_be_learned(
    daemon: RunningDaemon, lesson: Mapping[str, object] | None, says: str
) -> None:
    with pytest.raises(RequestRefusedError, match=re.escape(says)):
        ask(load(daemon.config), "learn", 120, lesson=lesson)


def test_who_connects_and_says_nothing_keeps_nobody_out(daemon: RunningDaemon) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for peer in silent:
        peer.connect(str(daemon.folder / "s.control"))
    assert ask(load(daemon.config), "status")["workers"] == 2
    for peer in silent:
        peer.close()


def test_only_the_daemons_user_may_ask(daemon: RunningDaemon) -> None:
    assert stat.S_IMODE((daemon.folder / "s.control").stat().st_mode) == 0o600


def test_every_message_is_in_the_history(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    daemon.told("x")
    (first,) = wait_for("a record", lambda: rows(daemon))
    assert (first.action, first.recipients) == ("accept", ("joe@mx.example.test",))
    assert list(first.milliseconds) == ["misbehaving"]
    daemon.told("raise")
    daemon.process.stop()
    second, _ = rows(daemon)
    assert second.action == "tempfail"
    assert [(one.filter, one.kind) for one in second.failures] == [("misbehaving", "error")]
    assert not (daemon.folder / "s.control").exists()
    assert command("status", daemon).exit_code == 69
    assert "is the daemon running" in command("reload", daemon).stderr


def test_reload_says_what_came_of_it(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(mood="good")
    result = command("reload", daemon)
    assert (result.exit_code, result.stdout) == (0, "reloaded, chain misbehaving\n")
    # The settings are right, and the filter does not start with them.
    daemon.configure(mood="refuse")
    refused = command("reload", daemon)
    assert refused.exit_code == 78
    assert refused.stderr.count("\n") == 1
    assert "the old settings stay" in refused.stderr
    assert daemon.told("x").word == "continue"


def test_metrics_for_prometheus(new_daemon: NewDaemon) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = new_daemon(mood=f'bad"\n[metrics]\nlisten = "127.0.0.1:{port}')
    daemon.told("x")
    daemon.told("raise")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    samples = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert samples["filterd_messages_total", "accept"] == 1
    assert samples["filterd_messages_total", "tempfail"] == 1
    assert samples["filterd_filter_errors_total", "error", "misbehaving"] == 1
    assert samples["filterd_filter_seconds_count", "misbehaving"] >= 1
    assert samples["filterd_filter_seconds_bucket", "+Inf", "misbehaving"] >= 1
    assert samples[("filterd_workers",)] == 2
    assert samples["filterd_quarantine_messages", "copy"] == 1
    assert samples[("filterd_notices_waiting",)] == 0


def told_by(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        return bytes(answer.read())


def test_slow_clients_keep_no_monitor_out(
    new_daemon: NewDaemon,
) -> None:
    port = free_port()
    daemon = new_daemon(mood=f'bad"\n[metrics]\nlisten = "127.0.0.1:{port}')
    with contextlib.ExitStack() as stack:
        slow = []
        for _ in range(40):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            peer.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            slow.append(peer)
        assert b"filterd_info" in told_by(port)
        # Those that had to make room see the end at once.
        for peer in slow[:30]:
            peer.settimeout(20)
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1) == b""
        # The last one trickles: its time counts from the connection, not from its last octet.
        stop = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.1):
                    slow[-1].sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        slow[-1].settimeout(60)
        with contextlib.suppress(ConnectionResetError):
            assert slow[-1].recv(1) == b""
        stop.set()
        thread.join()
        assert b"filterd_info" in told_by(port)
    assert daemon.process.running


def test_metrics_on_an_address_that_is_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MetricsError, match="in use"):
            Exporter(f"127.0.0.1:{taken.getsockname()[1]}", None, None).start()  # type: ignore[arg-type]


@pytest.mark.parametrize("listen", ["9108", ":9108", "localhost:", "127.0.0.1:0", "h:70000", "h:x"])
def test_metrics_at_what_is_no_address(tmp_path: Path, listen: str) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(f'[metrics]\nlisten = "{listen}"\n')
    with pytest.raises(ConfigError, match=r"filterd.toml:2.*expected 127.0.0.1:9108"):
        load(config)


def test_metrics_of_clamd(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[quarantine]\nfolder = "{tmp_path}/q"\n[filters.clamav]\n'
        f'server = ["unix:{tmp_path}/c", "unix:{tmp_path}/none"]\n'
    )
    settings = load(config)
    version = b"ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 2020\n"
    with Scanner(clean, tmp_path / "c", version=version):
        samples = {(s.name, s.labels.get("server", "")[-4:]): s.value for s in metrics(settings)}
    assert samples["filterd_clamd_up", f"{tmp_path}/c"[-4:]] == 1
    assert samples["filterd_clamd_up", "none"] == 0
    assert samples["filterd_clamd_signature_age_seconds", f"{tmp_path}/c"[-4:]] > 365 * 86400
    assert samples["filterd_in_flight_messages", ""] == 1
    assert samples["filterd_clamd_signatures_old", f"{tmp_path}/c"[-4:]] == 1
    assert samples["filterd_clamd_queue_scans", f"{tmp_path}/c"[-4:]] == 4
    assert samples["filterd_clamd_memory_bytes", f"{tmp_path}/c"[-4:]] == 1_321_063_000


def test_where_a_daemon_on_tcp_is_asked(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(f'[daemon]\nsocket = "inet:10025@127.0.0.1"\nspool = "{tmp_path}/spool"\n')
    assert control_path(load(config)) == tmp_path / "spool" / "filterd.control"


def test_what_a_worker_says_makes_no_new_names() -> None:
    counts = Stats(["bayes"])
    nan, long = float("nan"), "x" * 500
    counts.count(report(milliseconds={"bayes": 2.0, "made-up": 1.0}))
    counts.count(report(milliseconds={"bayes": nan}, failures={"x": "timeout: y"}))
    counts.count(report(milliseconds={"bayes": -1.0}, failures={"bayes": f"own3d: {long}"}))
    assert {a: n for a, n in counts.messages.items() if n} == {"accept": 3}
    assert list(counts.filters) == ["bayes"]
    one = counts.filters["bayes"]
    assert (one.messages, one.seconds, one.errors) == (1, 0.002, {"error": 1})
    assert one.classes[BUCKETS.index(0.005)] == 1
    assert len(one.detail) == 200


def test_who_sent_mail_is_counted_by_method_and_result() -> None:
    counts = Stats(["auth"])
    bad, good = DkimCheck(AuthResult.FAIL), DkimCheck(AuthResult.PASS, "a.example")
    found = Authentication(
        SpfCheck(AuthResult.PASS),
        None,
        (bad, good),
        DmarcCheck(AuthResult.FAIL, "a.example"),
        dkim2=Dkim2Check(AuthResult.TEMPERROR, 1),
    )
    counts.count(report(authentication=found))
    counts.count(report(authentication=Authentication(dkim=(bad,), arc=ArcCheck(AuthResult.NONE))))
    none = Dkim2Check(AuthResult.NONE)
    counts.count(report(authentication=Authentication(dkim2=none)))
    counts.count(report())
    assert counts.authentication == {
        ("dkim", "fail"): 1,
        ("dkim", "pass"): 1,
        ("dkim2", "temperror"): 1,
        ("dmarc", "fail"): 1,
        ("spf", "pass"): 1,
    }


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, -(10**400)])
    | st.text(st.characters(categories=["Cs"]), min_size=1),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["bayes", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


ARRIVAL = Arrival(id="1", queue_id="q", recipients=("a@b.test",), size=1)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["milliseconds", "failures", "symbols", "score", "required", "reason"])
        | st.sampled_from(["probability", "removed", "outcomes", "virus", "released", "note"]),
        anything,
    )
)
def test_whatever_a_worker_says_is_counted_and_noted_or_not_believed(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, object]
) -> None:
    try:
        found = decode_report({"action": "accept", **said}, ARRIVAL)
    except AnswerError:
        return
    history = History(tmp_path_factory.mktemp("h") / "h.sqlite3", HistorySettings())
    recorder = Recorder(history)
    Stats(["bayes"]).count(found)
    recorder.note(found, b"\xff")
    recorder.write()
    assert recorder.lost == 0
    assert [row.id for row in history.search(HistoryQuery()).rows] == ["1"]
    json.dumps(history.search(HistoryQuery()).rows[0].to_json(), allow_nan=False)


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(f'[daemon]\nsocket = "unix:{tmp_path}/s"\n')
    settings = load(config)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "s.control"))
        daemon.listen()
        with pytest.raises(AskError, match="no answer within"):
            ask(settings, "status", 0.1)
    with pytest.raises(AskError, match="refused") as caught:
        ask(settings, "status")
    assert not isinstance(caught.value, RequestRefusedError)


def test_doctor_says_that_the_settings_were_changed(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()

    def about_daemon() -> list[str]:
        found = servers.daemon(load(daemon.config))
        return [one.found for one in found if one.level != "OK"]

    wait_for("all workers", lambda: ask(load(daemon.config), "status")["workers"] == 2)
    assert about_daemon() == []
    text = daemon.config.read_text().replace('filters = ["misbehaving"]', 'filters = ["gtube"]')
    daemon.config.write_text(text)
    assert about_daemon() == ["its chain is misbehaving, another than the settings name"]
    assert command("reload", daemon).exit_code == 0
    assert about_daemon() == []
    daemon.config.write_text(text + "# a word more\n")
    assert about_daemon() == [f"{daemon.config} was written after the daemon read it"]
    assert command("reload", daemon).exit_code == 0
    assert about_daemon() == []
