"""`filterd web account` and `filterd web token`: roles and limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.commands import filterd

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["account", "token"])
def test_roles_and_what_they_see(
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text('[quarantine]\nfolder = "quarantine"\n')
    (tmp_path / "quarantine").mkdir()

    def run(*words: str) -> tuple[int, str, str]:
        return filterd(monkeypatch, capsys, "web", kind, *words, "-c", str(file))

    for words, role, sees in (
        (["ann", "--admin"], "admin", "everybody"),
        (["bob", "--domain", "mx.example"], "reviewer", "@mx.example"),
        (["dora", "--role", "helpdesk"], "helpdesk", "everybody"),
        (["dan", "--role", "helpdesk", "--recipient", "joe@mx.example"], "helpdesk", "joe@mx.ex"),
        (["eve", "--role", "auditor"], "auditor", "everybody"),
    ):
        assert run("add", *words)[0] == 0
        told = run("list")[1]
        (line,) = (one for one in told.splitlines() if one.startswith(words[0]))
        assert role in line
        assert sees in line
    roles = [json.loads(line)["role"] for line in run("list", "--json")[1].splitlines()]
    assert sorted(roles) == ["admin", "auditor", "helpdesk", "helpdesk", "reviewer"]
    for words, expected in (
        (["zoe"], "a reviewer needs a domain or a recipient"),
        (["zoe", "--role", "auditor", "--domain", "mx.example"], "an auditor sees everything"),
        (["zoe", "--role", "boss"], "boss"),
    ):
        status, _, told = run("add", *words)
        assert status != 0
        assert expected in told
