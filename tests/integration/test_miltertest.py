"""OpenDKIM's miltertest, a milter client that nobody of us wrote, drives the daemon."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.process import require
from tests.helpers.servers.filterd import Filterd

SCRIPT = """
local function check(what, problem)
  if problem ~= nil then error(what .. ": " .. tostring(problem)) end
end

conn = mt.connect("{socket}", 40, 0.05)
if conn == nil then error("no connection") end
check("negotiate", mt.negotiate(conn, nil, nil, nil))
mt.macro(conn, SMFIC_CONNECT, "j", "mx.example.test")
check("connect", mt.conninfo(conn, "client.example", "192.0.2.1"))
check("helo", mt.helo(conn, "client.example"))
for message = 1, {count} do
  mt.macro(conn, SMFIC_MAIL, "i", "miltertest" .. message)
  check("mail", mt.mailfrom(conn, "<ann@client.example>"))
  check("rcpt", mt.rcptto(conn, "<joe@mx.example.test>"))
  check("header", mt.header(conn, "From", " Ann <ann@client.example>"))
  check("header", mt.header(conn, "Subject", " test"))
  check("header", mt.header(conn, "X-Spam-Flag", " NO"))
{header}
  if not mt.test_option(conn, SMFIP_NOEOH) then check("eoh", mt.eoh(conn)) end
  check("body", mt.bodystring(conn, "{body}\\r\\n"))
  check("eom", mt.eom(conn))
{expected}
end
mt.disconnect(conn)
print("done")
"""


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        pytest.param(
            "",
            "Nothing to see.",
            """
  if mt.getreply(conn) ~= SMFIR_CONTINUE and mt.getreply(conn) ~= SMFIR_ACCEPT then
    error("reply " .. mt.getreply(conn)) end
  if not mt.eom_check(conn, MT_HDRINSERT, "X-Spam-Status") then error("not labelled") end
  if not mt.eom_check(conn, MT_HDRDELETE, "X-Spam-Flag") then error("forgery stays") end
""",
            id="clean",
        ),
        pytest.param(
            "",
            messages.GTUBE.decode(),
            """
  if mt.getreply(conn) ~= SMFIR_REPLYCODE then error("reply " .. mt.getreply(conn)) end
""",
            id="refused",
        ),
        pytest.param(
            '  check("header", mt.header(conn, "X-Obey", " score=9"))',
            "held",
            """
  if mt.getreply(conn) ~= SMFIR_DISCARD then error("reply " .. mt.getreply(conn)) end
""",
            id="held",
        ),
    ],
)
def test_as_a_stranger_sees_it(
    filterd: Filterd, tmp_path: Path, header: str, body: str, expected: str
) -> None:
    """Three messages on one connection, each answered the same."""
    program = require("miltertest", "miltertest")
    script = tmp_path / "test.lua"
    script.write_text(
        SCRIPT.replace("{socket}", f"unix:{filterd.socket}")
        .replace("{count}", "3")
        .replace("{header}", header)
        .replace("{body}", body)
        .replace("{expected}", expected)
    )

    done = subprocess.run(
        [program, "-v", "-s", script], check=False, capture_output=True, timeout=30
    )

    assert done.stdout.decode().endswith("done\n"), done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0
