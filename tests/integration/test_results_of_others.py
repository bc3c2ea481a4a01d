"""Authentication-Results of a filter that ran before filterd stay, forged ones go, on real MTAs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.process import folder
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.opendkim import Opendkim
from tests.helpers.servers.postfix import HOST
from tests.helpers.smtp import send

FORGED = f"Authentication-Results: {HOST}; dkim=pass header.d=bank.example"


@pytest.fixture(scope="module")
def verifier() -> Iterator[Opendkim]:
    """OpenDKIM that says for every message what its signature is worth."""
    with folder("verifier") as path:
        server = Opendkim(path, mode="v", more=f"AuthservID {HOST}\nAlwaysAddARHeader yes\n")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module", params=MTAS)
def behind(request: pytest.FixtureRequest, verifier: Opendkim) -> Iterator[Mta]:
    """OpenDKIM first, then filterd."""
    with folder("results") as path:
        daemon = Filterd(path, more=f'[labels]\nhostname = "{HOST}"\ntrusted_results = 1\n')
        daemon.start()
        with folder(request.param) as place:
            mta = MTAS[request.param](place, f"unix:{verifier.socket}", f"unix:{daemon.socket}")
            mta.start()
            yield mta
            mta.stop()
        daemon.stop()


@pytest.mark.parametrize(
    "forged",
    [[], [FORGED], ["Received: from a by b; Mon, 1 Jan 2026 00:00:00 +0000", FORGED]],
    ids=["none", "on top", "below a Received"],
)
def test_what_opendkim_found_stays_and_what_the_client_claims_goes(
    behind: Mta, forged: list[str]
) -> None:
    head = [*forged, "From: a@client.example", f"To: joe@{HOST}", "Subject: x", FORGED]
    data = ("\r\n".join(head) + "\r\n\r\nhello\r\n").encode()

    assert send(behind.port, data).final.code == 250

    (mail,) = behind.mail()
    results = mail.values("Authentication-Results")
    assert len(results) == 1, results
    assert b"dkim=none" in results[0]
