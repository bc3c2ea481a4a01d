"""`filterd web` as a process: the first run, whom it listens to, how it ends."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from filterd.config.load import load
from filterd.message.ids import new_id
from filterd.quarantine import Store
from tests.helpers.entries import new
from tests.helpers.process import Program, answers, folder, free_port
from tests.helpers.receiving_mta import running
from tests.helpers.servers.filterd import COMMAND

PASSWORD = "correct horse battery"


class Web:
    """One process in a folder of its own. web: lines of `[web]`."""

    def __init__(self, path: Path, web: str = "", release_port: int = 25) -> None:
        self.path = path
        self.port = free_port()
        self.config = path / "filterd.toml"
        self.config.write_text(
            f'[chain]\nfilters = []\n[quarantine]\nfolder = "q"\nrelease_port = {release_port}\n'
            f"[web]\nport = {self.port}\n{web}\n"
        )
        self.process = Program([COMMAND, "web", "--config", self.config], path)

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))

    def client(self, **headers: str) -> httpx.Client:
        """A browser without cookies."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)

    def log_in(self, name: str, password: str, **headers: str) -> httpx.Response:
        with self.client(**headers) as client:
            data = {"csrf": token_in(client.get("/login")), "name": name, "password": password}
            return client.post("/login", data=data)

    def logged_in(self) -> httpx.Client:
        """A browser of ann, who is an admin."""
        client = self.client()
        data = {"csrf": token_in(client.get("/login")), "name": "ann", "password": PASSWORD}
        assert client.post("/login", data=data).status_code == 303
        return client

    def command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """`filterd web account ...`."""
        return subprocess.run(
            [COMMAND, "web", "account", *arguments, "--config", self.config],
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )


def token_in(answer: httpx.Response) -> str:
    """The token of the page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


@pytest.fixture
def path() -> Iterator[Path]:
    with folder("web") as path:
        yield path


def test_the_first_run_prints_a_password_that_lets_in_and_no_later_one_does(path: Path) -> None:
    web = Web(path)
    web.start()
    (password,) = re.findall(r"account admin, password (\S+)", web.process.output)
    assert len(password) >= 20
    assert web.log_in("admin", password).status_code == 303
    assert web.log_in("admin", "admin").status_code == 403
    assert web.process.stop() == 0
    web.start()
    assert web.process.output.count("password") == 1
    assert web.log_in("admin", password).status_code == 303
    web.process.stop()


def test_accounts_by_command(path: Path) -> None:
    web = Web(path)
    assert "no accounts yet" in web.command("list").stdout
    read = ("--password-file", "-")
    assert web.command("add", "ann", "--admin", *read, given=PASSWORD + "\n").stdout == ""
    web.command("add", "bob", "--domain", "MX.example", "--recipient", "a@b.example")
    listed = [json.loads(line) for line in web.command("list", "--json").stdout.splitlines()]
    assert all(datetime.fromisoformat(account.pop("made")) for account in listed)
    assert not any(account.pop("second_factor") for account in listed)
    assert listed == [
        {"name": "ann", "role": "admin", "domains": [], "recipients": []},
        {
            "name": "bob",
            "role": "reviewer",
            "domains": ["mx.example"],
            "recipients": ["a@b.example"],
        },
    ]
    web.start()
    assert "password" not in web.process.output, "there are accounts: none is made"
    assert web.log_in("ann", PASSWORD).status_code == 303
    made = web.command("password", "ann").stdout
    assert web.log_in("ann", PASSWORD).status_code == 403
    assert web.log_in("ann", made.split("password ")[1].split()[0]).status_code == 303
    web.command("remove", "ann")
    assert web.log_in("ann", PASSWORD).status_code == 403
    web.process.stop()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["add", "bob"], 65, "needs a domain or a recipient"),
        (["add", "a b", "--admin"], 65, "'a b' is not a name"),
        (["remove", "bob"], 65, "no account 'bob'"),
        (["password", "bob"], 65, "no account 'bob'"),
        (["add", "bob", "--admin", "--password-file", "-"], 65, "0 characters"),
        (["add", "bob", "--admin", "--password-file", "nowhere"], 66, "cannot be read"),
    ],
)
def test_what_a_command_cannot_do_it_says_in_one_line(
    path: Path, arguments: list[str], status: int, said: str
) -> None:
    done = Web(path).command(*arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told_in_one_line(path: Path) -> None:
    web = Web(path)
    web.start()
    second = subprocess.run(
        [COMMAND, "web", "--config", web.config], capture_output=True, text=True, check=False
    )
    assert second.returncode == 69
    assert "Traceback" not in second.stderr
    assert str(web.port) in second.stderr
    web.process.stop()


def test_settings_that_are_open_are_refused(path: Path) -> None:
    web = Web(path, 'listen = "0.0.0.0"')
    done = subprocess.run(
        [COMMAND, "web", "--config", web.config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    assert "can be reached from outside" in done.stderr


@pytest.mark.parametrize(
    ("trusted", "status"), [("", 429), ('trusted_proxies = ["127.0.0.1/32"]', 403)]
)
def test_an_address_in_a_header_counts_from_a_trusted_proxy_only(
    path: Path, trusted: str, status: int
) -> None:
    web = Web(path, f"login_attempts = 2\n{trusted}")
    web.start()
    codes = [
        web.log_in("admin", "wrong", **{"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(3)
    ]
    assert codes == [403, 403, status]
    web.process.stop()


def test_what_an_observer_learns_of_the_server(path: Path) -> None:
    web = Web(path)
    web.start()
    url = f"http://127.0.0.1:{web.port}"
    assert "server" not in httpx.get(f"{url}/login").headers
    assert httpx.get(f"{url}/docs").status_code == 404
    assert httpx.get(f"{url}/redoc").status_code == 404
    with pytest.raises(httpx.HTTPError):
        large = httpx.get(f"{url}/login", headers={"X-Large": "x" * 2_000_000})
        large.raise_for_status()
    web.process.stop()


def test_a_process_that_is_killed_in_a_release_releases_nothing_twice(path: Path) -> None:
    """It dies after the final dot, before the 250: nobody knows, and nobody tries by himself."""
    with running() as mta:
        web = Web(path, release_port=mta.port)
        web.command("add", "ann", "--admin", "--password-file", "-", given=PASSWORD + "\n")
        web.start()
        settings = load(web.config).quarantine
        id = Store(settings).put(new(id=new_id()))
        mta.at_dot = web.process.kill
        with closing(web.logged_in()) as client, pytest.raises(httpx.HTTPError):
            data = {"csrf": token_in(client.get("/scan")), "to": "joe@mx.test"}
            client.post(f"/message/{id}/release", data=data)
        mta.at_dot = lambda: None
        # The connection may be gone before the listening socket, which would still answer.
        web.process.wait()
        web.start()
        with closing(web.logged_in()) as client:
            page = client.get(f"/message/{id}")
            assert "state-releasing" in page.text
            data = {"csrf": token_in(page), "to": "joe@mx.test"}
            told = client.post(f"/message/{id}/release", data=data, follow_redirects=True)
            assert "was releasing already" in told.text
        assert len(mta.taken) == 1
        assert Store(settings).fsck().restated == ()
        web.process.stop()
