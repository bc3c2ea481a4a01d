"""Dangerous attachments: parts with banned file names are taken out, a notice takes their place.

Only the part's own octets change; every other octet of the message, line ends included, stays. The
original is kept in the quarantine under the message's id, which the notice names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import Template
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge

from filterd.message import Entity, Message
from filterd.verdict import (
    NO_OPINION,
    Action,
    AddField,
    ChangeField,
    Edit,
    RemovedPart,
    Reply,
    Splice,
    Symbol,
    Verdict,
)  # fmt: skip

BANNED = tuple(
    """
    ade adp app appref-ms appx bas bat cab chm cmd cnt com cpl crt csh diagcab dll docm dotm
    exe fxp gadget grp hlp hpj hta htc inf ins iso isp its jar jnlp js jse ksh lib lnk mad maf
    mag mam maq mar mas mat mau mav maw mcf mda mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2
    msh2xml mshxml msi msix msp mst ocx ops osd pcd pif plg potm ppam ppsm pptm prf prg
    printerexport ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 pyc pyo pyw pyz pyzw reg scf scr
    sct settingcontent-ms shb shs sldm sys theme url vb vbe vbp vbs vhd vhdx vsmacros vsw vxd
    wbk webpnp website ws wsc wsf wsh xbap xla xlam xll xlsm xltm xnk
    """.split()
)
"""Extensions that open as programs, scripts, macros or disk images on the desktops in use today."""

NOTICE = (
    "The attachment $filename was removed from this message: $reason.\n"
    "The original is kept by the mail system of $host. Ask the postmaster for it, naming $id.\n"
)

NOTICE_NAME_LIMIT = 200
"""Characters of a file name that the notice repeats."""

# What file systems and readers make of a name: they drop trailing dots and blanks, take what is
# behind the last path separator, and ignore an alternate data stream.
_PATH = re.compile(r"[/\\]")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CLSID = re.compile(r"\{[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}\s*$")
_OPEN_PERCENT = re.compile(r"%([0-9a-fA-F]{2})")


@dataclass
class Parts:
    """Takes out attachments whose file names end in a banned extension."""

    name: ClassVar[str] = "parts"

    extensions: Annotated[
        tuple[str, ...], Doc("banned file name extensions, without dot, in lower case")
    ] = BANNED
    action: Annotated[
        Literal["strip", "score", "quarantine", "reject"],
        Doc("what a banned part means: strip it, give points only, or hold or refuse the message"),
    ] = "strip"
    score: Annotated[float, Ge(0), Doc("points for a message with a banned part")] = 0.5
    notice: Annotated[
        str, Doc("text in the part's place; knows $filename, $reason, $id and $host")
    ] = NOTICE

    def __post_init__(self) -> None:
        try:
            Template(self.notice).substitute(filename="", reason="", id="", host="")
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"notice: {error} is unknown; $filename, $reason, $id and $host are known"
            ) from None
        self._banned = frozenset(extension.lower().lstrip(".") for extension in self.extensions)

    def examine(self, message: Message) -> Verdict:
        """Look at the names of all parts."""
        found = list(self._banned_parts(message))
        if not found:
            return NO_OPINION
        details = "; ".join(f"{_shown(name)}: {reason}" for _, name, reason in found)
        symbols = (Symbol("BANNED_PART", self.score, details),)
        if self.action == "score":
            return Verdict(symbols=symbols)
        if self.action == "reject":
            reply = Reply(550, "5.7.1", "Message refused, an attachment's type is not accepted")
            return Verdict(Action.REJECT, symbols, reply=reply)
        if self.action == "quarantine":
            return Verdict(Action.QUARANTINE, symbols)
        edits: list[Edit] = []
        removed = []
        for entity, name, reason in found:
            edits += self._replacement(message, entity, name, reason)
            removed.append(RemovedPart(name, reason, entity.start, entity.end))
        return Verdict(symbols=symbols, edits=tuple(edits), removed=tuple(removed))

    def _banned_parts(self, message: Message) -> Iterator[tuple[Entity, str, str]]:
        for entity in message.leaves():
            for name in entity.filenames:
                reason = self._reason(name)
                if reason:
                    yield entity, name, reason
                    break

    def _reason(self, name: str) -> str:
        """Why a file name is banned; empty if it is not."""
        for plain in (name, _OPEN_PERCENT.sub(lambda m: chr(int(m[1], 16)), name)):
            if _CLSID.search(plain):
                return "its name ends in a class id"
            cleaned = _INVISIBLE.sub("", plain)
            last = _PATH.split(cleaned)[-1]
            for stem in (last, last.split(":")[0], last.split(";")[0]):
                extension = stem.rstrip(". \t").rpartition(".")[2].strip().lower()
                if "." in stem and extension in self._banned:
                    return f"files of type .{extension} are not accepted"
        return ""

    def _replacement(
        self, message: Message, entity: Entity, name: str, reason: str
    ) -> Iterator[Edit]:
        eol = b"\r\n" if b"\r\n" in message.data[:65536] else b"\n"
        text = Template(self.notice).substitute(
            filename=_shown(name),
            reason=reason,
            id=message.id,
            host=message.envelope.macros.get("j", "this site"),
        )
        body = eol.join(text.encode("utf-8", "replace").splitlines())
        if entity.parent is None:
            # The message is the part: its header fields are changed, its body replaced.
            yield from _header_of_notice(message)
            yield Splice(entity.body_start, entity.end, body + eol)
            return
        header = (
            b"Content-Type: text/plain; charset=utf-8" + eol
            + b"Content-Transfer-Encoding: 8bit" + eol
            + b"Content-Disposition: inline" + eol
        )  # fmt: skip
        yield Splice(entity.start, entity.end, header + eol + body)


def _header_of_notice(message: Message) -> Iterator[Edit]:
    wanted = {
        "content-type": "text/plain; charset=utf-8",
        "content-transfer-encoding": "8bit",
        "content-disposition": None,
    }
    for name, value in wanted.items():
        fields = list(message.fields(name))
        for index in range(len(fields), 1, -1):
            yield ChangeField(fields[index - 1].name, index, None)
        if fields:
            yield ChangeField(fields[0].name, 1, value)
        elif value is not None:
            yield AddField(name.title(), value)


def _shown(name: str) -> str:
    """A file name made fit for a notice: no control or direction characters, not too long."""
    return _INVISIBLE.sub("?", name)[:NOTICE_NAME_LIMIT]
