"""Webhooks: what is posted, how it is signed, and what a receiver can and cannot do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from pathlib import Path

import pytest

from filterd.config.notices import WebhookSettings
from filterd.notices.payload import payload
from filterd.notices.post import post
from filterd.notices.samples import sample
from filterd.notices.signing import SecretError, read_secrets, signatures
from tests.helpers.certificates import server_context
from tests.helpers.webhook import receiving

pytestmark = pytest.mark.slow

SECRET = base64.b64encode(b"s" * 24).decode()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"whsec_{SECRET}\n")
    path.chmod(0o600)
    return path


def test_the_signature_of_the_specification() -> None:
    """The example that verifying libraries have in their tests."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert (
        signatures([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_post_can_be_verified(secret: Path) -> None:
    with receiving() as receiver:
        hook = WebhookSettings(f"http://127.0.0.1:{receiver.port}/in?key=1", secret)
        assert post(hook, "id1", b'{"a": 1}', 1000.9).outcome == "sent"
    ((path, fields, body),) = receiver.posts
    assert path == "/in?key=1"
    assert fields["content-type"] == "application/json"
    assert (fields["webhook-id"], fields["webhook-timestamp"]) == ("id1", "1000")
    assert fields["host"] == f"127.0.0.1:{receiver.port}"
    made = hmac.new(b"s" * 24, b"id1.1000." + body, hashlib.sha256).digest()
    assert fields["webhook-signature"] == "v1," + base64.b64encode(made).decode()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "sent"),
        (202, "sent"),
        (301, "refused"),
        (307, "refused"),
        (400, "refused"),
        (410, "refused"),
        (408, "later"),
        (429, "later"),
        (500, "later"),
        (503, "later"),
    ],
)
def test_what_a_status_means(secret: Path, status: int, outcome: str) -> None:
    with receiving() as receiver:
        receiver.status = status
        receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
        found = post(WebhookSettings(f"http://127.0.0.1:{receiver.port}/", secret), "i", b"{}", 1.0)
    assert (found.outcome, len(receiver.posts)) == (outcome, 1)
    assert str(status) in found.reply


def test_only_a_proven_receiver_gets_it(secret: Path, tmp_path: Path) -> None:
    tls, certificate = server_context(tmp_path)
    with receiving(tls) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        unproven = post(WebhookSettings(url, secret), "i", b"{}", 1.0)
        other = f"https://localhost.:{receiver.port}/"
        wrong_name = post(WebhookSettings(other, secret, ca=certificate), "i", b"{}", 1.0)
        proven = post(WebhookSettings(url, secret, ca=certificate), "i", b"{}", 1.0)
    assert (unproven.outcome, unproven.reached) == ("later", False)
    assert "certificate is not proven" in unproven.reply
    assert wrong_name.outcome == "later"
    assert proven.outcome == "sent"
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_dribbles_has_an_end(secret: Path, scheme: str) -> None:
    """It sends an octet now and then, as the beginning of an answer or of a TLS record."""
    octets = {
        "http": b"HTTP/1.1 200 " + b"x" * 9999,
        "https": b"\x16\x03\x03\x40\x00" + b"x" * 9999,
    }
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def dribble() -> None:
            peer, _ = listener.accept()
            with peer:
                for octet in octets[scheme]:
                    try:
                        peer.sendall(bytes([octet]))
                    except OSError:
                        return
                    if ended.wait(0.01):
                        return

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
        found = post(WebhookSettings(url, secret, timeout=0.3), "i", b"{}", 1.0)
        ended.set()
        thread.join(5)
    assert (found.outcome, found.reached) == ("later", False)
    assert found.reply == "no answer within 0.3 s"


def test_nobody_there(secret: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = post(WebhookSettings(f"http://127.0.0.1:{port}/", secret), "i", b"{}", 1.0)
    assert (found.outcome, found.reached) == ("later", False)


@pytest.mark.parametrize(
    ("content", "mode", "trouble"),
    [
        ("", 0o600, "expected a secret"),
        (SECRET, 0o640, "others may read"),
        (SECRET, 0o604, "others may read"),
        ("c2hvcnQ=", 0o600, "24 to 64"),
        ("not base64!", 0o600, "expected"),
        ("\n".join([SECRET] * 4), 0o600, "up to 3"),
    ],
)
def test_a_secret_that_cannot_be_used(secret: Path, content: str, mode: int, trouble: str) -> None:
    secret.write_text(content)
    secret.chmod(mode)
    with pytest.raises(SecretError, match=trouble) as found:
        read_secrets(secret)
    assert SECRET not in str(found.value)


def test_a_former_secret_signs_as_well(secret: Path) -> None:
    other = base64.b64encode(b"t" * 32).decode()
    secret.write_text(f"{other}\nwhsec_{SECRET}\n")
    assert read_secrets(secret) == (b"t" * 32, b"s" * 24)
    both = signatures(read_secrets(secret), "i", 1, b"{}")
    assert [one[:3] for one in both.split(" ")] == ["v1,", "v1,"]


def test_the_form_of_an_event() -> None:
    value = json.loads(payload(sample("held", 1_800_000_000.0), "mx1", subject=False, suppressed=3))
    data = value.pop("data")
    assert value.pop("id") == sample("held", 1.0).id
    assert value == {
        "version": 1,
        "type": "held",
        "time": "2027-01-15T08:00:00+00:00",
        "host": "mx1",
        "test": False,
        "suppressed": 3,
    }
    assert sorted(data) == sorted(
        "id queue_id received client authenticated sender recipients size action reason score "
        "required virus symbols kept".split()
    )
