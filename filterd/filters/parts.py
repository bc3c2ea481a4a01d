"""Dangerous attachments, by name and by content, inside archives too, and structures that deceive.

A banned part is taken out and a notice takes its place; only the part's own octets change, every
other octet of the message, line ends included, stays. The original is kept in the quarantine under
the message's id, which the notice names. What cannot be cut out cleanly (a part that only some
readers see, a limit of the whole message) holds the message instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import Template
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.filters import signatures
from filterd.filters.contents import documents
from filterd.filters.contents.kinds import HEAD_SIZE, kind_of
from filterd.filters.contents.names import extensions, has_class_id, has_direction_marks, shown
from filterd.filters.contents.notice import NOTICE, check_template, replacement
from filterd.filters.contents.unpack import File, Limits, Unpacker
from filterd.message import Entity, Message
from filterd.verdict import NO_OPINION, Action, Edit, RemovedPart, Reply, Symbol, Verdict

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

BANNED_KINDS = ("chm", "elf", "exe", "hta", "lnk", "macho", "msi", "vhd")
"""Kinds by content, whatever the name says (see `filterd.filters.contents.kinds`)."""

REPLY = Reply(550, "5.7.1", "Message refused, an attachment's type is not accepted")

DETAIL_LIMIT = 500
"""Characters of a symbol's detail: a log line, not the listing of an archive."""

PASSWORD_LIMIT = 40
"""Words of a message's text that are tried as passwords; each costs a derivation of a key."""

TEXT_LIMIT = 20_000
"""Characters of text in which passwords are looked for."""

Treatment = Literal["score", "strip", "quarantine", "reject"]

_HELD: dict[str, str] = {
    "ARCHIVE_ENCRYPTED": "encrypted",
    "ARCHIVE_DAMAGED": "damaged",
    "ARCHIVE_LIMIT": "limit",
    "ARCHIVE_PATH": "banned",
    "BANNED_PART": "banned",
    "DOC_DAMAGED": "damaged",
    "DOC_EMBEDDED": "suspicious",
    "DOC_ENCRYPTED": "encrypted",
    "DOC_SCRIPT": "suspicious",
    "DOC_MACRO": "suspicious",
    "DOC_DDE": "active",
    "DOC_LAUNCH": "active",
    "DOC_MACRO_AUTO": "active",
    "DOC_REMOTE": "active",
    "HEADER_LIMIT": "limit",
    "LINE_LIMIT": "long_line",
    "MIME_AMBIGUOUS": "ambiguous",
    "MIME_EXTERNAL": "fragment",
    "MIME_PARTIAL": "fragment",
    "MIME_TOO_DEEP": "limit",
    "MIME_TOO_MANY_PARTS": "limit",
    "MIME_TOO_MANY_READINGS": "limit",
}
"""Symbol → the setting that says what it means."""

_PASSWORD = re.compile(r"[^\s<>\"'“”„«»]{3,40}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. entity: the part to take out, None if none can be taken out cleanly."""

    symbol: str
    detail: str
    entity: Entity | None = None
    name: str = ""
    reason: str = ""


@dataclass
class Parts:
    """Finds dangerous attachments, also inside archives, and takes them out."""

    name: ClassVar[str] = "parts"

    extensions: Annotated[
        tuple[str, ...], Doc("banned file name extensions, without dot, in lower case")
    ] = BANNED
    kinds: Annotated[tuple[str, ...], Doc("banned types by content, whatever the name says")] = (
        BANNED_KINDS
    )
    action: Annotated[
        Treatment,
        Doc("what a banned part means: strip it, give points only, or hold or refuse the message"),
    ] = "strip"
    score: Annotated[float, Ge(0), Doc("points for a message with a banned part")] = 0.5
    active: Annotated[
        Treatment, Doc("the same for documents that start something by themselves")
    ] = "score"
    active_score: Annotated[float, Ge(0), Doc("points for such a document")] = 5.0
    suspicious: Annotated[
        Treatment, Doc("the same for documents with macros, scripts or embedded files")
    ] = "score"
    suspicious_score: Annotated[float, Ge(0), Doc("points for such a document")] = 1.0
    encrypted: Annotated[
        Treatment, Doc("the same for archives and documents that need a password")
    ] = "score"
    encrypted_score: Annotated[float, Ge(0), Doc("points for one")] = 2.0
    damaged: Annotated[Treatment, Doc("the same for archives that cannot be read")] = "score"
    damaged_score: Annotated[float, Ge(0), Doc("points for one")] = 1.0
    limit: Annotated[
        Treatment, Doc("the same for what exceeds a limit: archive bombs, endless nesting")
    ] = "quarantine"
    limit_score: Annotated[float, Ge(0), Doc("points for that")] = 3.0
    long_line: Annotated[Treatment, Doc("the same for lines of more than 64 KiB")] = "score"
    long_line_score: Annotated[float, Ge(0), Doc("points for that")] = 0.5
    ambiguous: Annotated[
        Treatment, Doc("the same for mail that readers may understand in different ways")
    ] = "score"
    ambiguous_score: Annotated[float, Ge(0), Doc("points for that")] = 1.0
    fragment: Annotated[
        Treatment, Doc("the same for messages in several pieces and bodies kept elsewhere")
    ] = "quarantine"
    fragment_score: Annotated[float, Ge(0), Doc("points for that")] = 2.0
    verify_dkim: Annotated[
        bool, Doc("verify DKIM before a part is stripped, for Authentication-Results; asks DNS")
    ] = True
    signed: Annotated[
        Literal["strip", "quarantine"],
        Doc("strip from S/MIME- and PGP-signed mail too, which breaks the signature, or hold it"),
    ] = "quarantine"
    archive_depth: Annotated[
        int, Ge(0), Doc("levels of archives inside archives that are opened; 0 opens none")
    ] = Limits.depth
    archive_members: Annotated[
        int, Gt(0), Doc("files in the archives of one message that are looked at")
    ] = Limits.members
    archive_size: Annotated[
        int, Gt(0), Doc("octets that the archives of one message may unpack to")
    ] = Limits.total
    archive_ratio: Annotated[
        int, Gt(1), Doc("octets that one octet of an archive may unpack to, beyond 4 MiB")
    ] = Limits.ratio
    try_passwords: Annotated[
        bool, Doc("true: try words of the message's text as passwords of its archives")
    ] = False
    notice: Annotated[
        str, Doc("text in the part's place; knows $filename, $reason, $id and $host")
    ] = NOTICE

    def __post_init__(self) -> None:
        check_template(self.notice)
        self._banned = frozenset(extension.lower().lstrip(".") for extension in self.extensions)
        self._template = Template(self.notice)
        self._limits = Limits(
            self.archive_depth, self.archive_members, self.archive_size, self.archive_ratio
        )

    def examine(self, message: Message) -> Verdict:
        """Look at the structure and at all parts, in every reading of the message."""
        found = [Finding(symbol, detail) for symbol, detail in message.anomalies]
        found += self._in_parts(message)
        if not found:
            return NO_OPINION
        return self._verdict(message, found)

    def _in_parts(self, message: Message) -> Iterator[Finding]:
        unpacker = Unpacker(self._limits, self._passwords(message) if self.try_passwords else ())
        for entity in message.leaves():
            yield from self._in_part(entity, entity, unpacker)
        for reading in message.readings:
            for entity in reading.root.walk():
                if entity.is_leaf:
                    # Not in the usual reading: its octets cannot be told from the others'.
                    yield from self._in_part(entity, None, unpacker)

    def _in_part(
        self, entity: Entity, removable: Entity | None, unpacker: Unpacker
    ) -> Iterator[Finding]:
        names = entity.filenames
        shown_name = names[0] if names else "without a name"
        head = entity.head(HEAD_SIZE if names else 4096)
        kind = kind_of(head)
        if kind == "html" and not names and entity.disposition != "attachment":
            # The message's own text; what scripts in it do is for its reader's program.
            return
        if kind or names:
            file = File(names, kind, head, complete=False)
            banned = self._reason(file)
            if banned:
                yield Finding("BANNED_PART", shown(shown_name), removable, shown_name, banned)
        if not kind and not _may_hold_files(entity):
            return
        seen = len(unpacker.findings)
        for file in unpacker.files(names, entity.content):
            if file.path:
                banned = self._reason(file)
                if banned:
                    reason = f"it contains {shown(file.names[0] if file.names else '?')}: {banned}"
                    detail = shown(file.shown_path)
                    yield Finding("BANNED_PART", detail, removable, shown_name, reason)
            for symbol, detail in documents.findings(file) if file.complete else ():
                yield Finding(symbol, detail, removable, shown_name, detail)
        for symbol, detail in unpacker.findings[seen:]:
            yield Finding(symbol, detail, removable, shown_name, detail)

    def _reason(self, file: File) -> str:
        """Why a file is banned; empty if it is not."""
        for name in file.names:
            if has_class_id(name):
                return "its name ends in a class id"
            for extension in extensions(name):
                if extension in self._banned:
                    turned = ", disguised by direction marks" if has_direction_marks(name) else ""
                    return f"files of type .{extension} are not accepted{turned}"
        if file.kind in self.kinds:
            return f"its content is of type {file.kind}, which is not accepted"
        return ""

    def _passwords(self, message: Message) -> tuple[str, ...]:
        """Words of the text, those after a word like `password` first."""
        words: list[str] = []
        for entity in message.leaves():
            if entity.content_type.startswith("text/") and not entity.filenames:
                words += _PASSWORD.findall(entity.text[:TEXT_LIMIT])
        trimmed = [word.rstrip(".,;!?)") for word in words]
        near = [
            later
            for index, word in enumerate(trimmed)
            if re.match(r"(?i)pass|pw|code|kennwort|contrase", word)
            for later in trimmed[index + 1 : index + 5]
        ]
        odd = [word for word in trimmed if re.search(r"\d", word)]
        return tuple(dict.fromkeys([*near, *odd, *trimmed]))[:PASSWORD_LIMIT]

    def _verdict(self, message: Message, found: list[Finding]) -> Verdict:
        details: dict[str, list[str]] = {}
        action = Action.ACCEPT
        taken: dict[int, Finding] = {}
        for finding in found:
            details.setdefault(finding.symbol, []).append(finding.detail)
            treatment: str = getattr(self, _setting(finding.symbol, "action"))
            if treatment == "reject":
                action = max(action, Action.REJECT)
            elif treatment == "quarantine":
                action = max(action, Action.QUARANTINE)
            elif treatment == "strip":
                if finding.entity is None or (
                    self.signed == "quarantine" and _is_signed(finding.entity)
                ):
                    action = max(action, Action.QUARANTINE)
                else:
                    taken.setdefault(finding.entity.start, finding)
        edits: list[Edit] = []
        removed = []
        for start in sorted(taken):
            finding = taken[start]
            entity = finding.entity
            assert entity is not None
            edits += replacement(message, entity, self._template, finding.name, finding.reason)
            removed.append(RemovedPart(finding.name, finding.reason, entity.start, entity.end))
        if removed and self.verify_dkim and action is Action.ACCEPT:
            noted = signatures.results(message, message.envelope.macros.get("j", "localhost"))
            edits += [noted] if noted is not None else []
        return Verdict(
            action,
            symbols=tuple(
                Symbol(name, getattr(self, _setting(name, "score")), _joined(texts))
                for name, texts in details.items()
            ),
            edits=tuple(edits),
            removed=tuple(removed),
            reply=REPLY if action is Action.REJECT else None,
        )


def _setting(symbol: str, what: Literal["action", "score"]) -> str:
    group = _HELD[symbol]
    if group == "banned":
        return what
    return group if what == "action" else f"{group}_score"


def _may_hold_files(entity: Entity) -> bool:
    """True if the part is worth unpacking although its head says nothing."""
    return bool(entity.filenames) and not entity.content_type.startswith(
        ("image/", "audio/", "video/")
    )


def _is_signed(entity: Entity) -> bool:
    """True for a part below a multipart/signed (RFC 1847)."""
    above = entity.parent
    while above is not None:
        if above.content_type == "multipart/signed":
            return True
        above = above.parent
    return False


def _joined(texts: Iterable[str]) -> str:
    return shown("; ".join(dict.fromkeys(texts)), DETAIL_LIMIT)
