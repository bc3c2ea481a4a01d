"""c-icap with the service virus_scan, which asks a clamd."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from tests.helpers.process import Program, answers, free_port, require
from tests.helpers.servers.clamd import Clamd

MODULES = Path("/usr/lib/x86_64-linux-gnu/c_icap")


class Cicap:
    """c-icap on 127.0.0.1:`port`; `address` is its service."""

    def __init__(self, folder: Path, clamd: Clamd, more: str = "") -> None:
        program = require("c-icap", "c-icap and libc-icap-mod-virus-scan")
        modules = next(iter(Path("/usr/lib").glob("*/c_icap")))
        self.port = free_port()
        self.address = f"icap://127.0.0.1:{self.port}/virus_scan"
        user = pwd.getpwuid(os.getuid()).pw_name
        group = grp.getgrgid(os.getgid()).gr_name
        (folder / "clamd_mod.conf").write_text(
            f"Module common clamd_mod.so\nclamd_mod.ClamdSocket {clamd.socket}\n"
        )
        (folder / "c-icap.conf").write_text(
            f"""\
PidFile {folder}/c-icap.pid
CommandsSocket {folder}/c-icap.ctl
Timeout 300
MaxKeepAliveRequests 100
KeepAliveTimeout 600
StartServers 1
MaxServers 2
MinSpareThreads 2
MaxSpareThreads 10
ThreadsPerChild 10
Port 127.0.0.1:{self.port}
User {user}
Group {group}
TmpDir {folder}
MaxMemObject 131072
DebugLevel 1
ModulesDir {modules}
ServicesDir {modules}
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog {folder}/server.log
Service virus_scan virus_scan.so
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE DOCUMENT UNKNOWN
virus_scan.SendPercentData 5
virus_scan.StartSendPercentDataAfter 20M
virus_scan.MaxObjectSize 5M
virus_scan.DefaultEngine clamd
Include {folder}/clamd_mod.conf
{more}"""
        )
        self.process = Program([program, "-N", "-f", folder / "c-icap.conf"], folder, patience=2)
        self.folder = folder

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))

    def stop(self) -> None:
        self.process.stop()
