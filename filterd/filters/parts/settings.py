"""Settings `[filters.parts]` and their rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.chain.filter import Filter
from filterd.chain.policy_settings import RecipientPatterns
from filterd.chain.services import Services
from filterd.filters.notice import NOTICE, check_template
from filterd.filters.parts.lists import BANNED, BANNED_KINDS, BANNED_MEDIA_TYPES
from filterd.filters.parts.symbols import DESCRIPTIONS
from filterd.filters.parts.unpacking.limits import UnpackLimits
from filterd.message.address import pattern_keys
from filterd.message.matching import networks
from filterd.system.mistakes import Key, Mistakes, mistakes

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")

PartAction = Literal["score", "strip", "quarantine", "reject"]
Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True)
class PartRule:
    """Settings `[[filters.parts.rules]]`: other actions for some recipients or one direction.

    Every condition that is set must hold; of several rules the first that matches counts. What a
    rule does not set is as in `[filters.parts]`.
    """

    name: Annotated[str, Doc("how the log calls the rule")] = "rule"
    recipients: RecipientPatterns = ()
    direction: Annotated[
        Direction | None,
        Doc("outbound: from clients that logged in, this host, or own_clients; inbound: others"),
    ] = None
    extensions: Annotated[
        tuple[str, ...] | None, Doc("banned file name extensions, in place of the list")
    ] = None
    kinds: Annotated[
        tuple[str, ...] | None, Doc("banned types by content, in place of the list")
    ] = None
    media_types: Annotated[
        tuple[str, ...] | None, Doc("banned declared media types, in place of the list")
    ] = None
    action: Annotated[PartAction | None, Doc("what a banned part means")] = None
    active: Annotated[PartAction | None, Doc("documents that start something")] = None
    suspicious: Annotated[PartAction | None, Doc("documents with macros, scripts, files")] = None
    encrypted: Annotated[PartAction | None, Doc("what needs a password")] = None
    damaged: Annotated[PartAction | None, Doc("what cannot be read")] = None
    unreadable: Annotated[PartAction | None, Doc("archives of formats that nothing reads")] = None
    limit: Annotated[PartAction | None, Doc("what exceeds a limit")] = None
    long_line: Annotated[PartAction | None, Doc("lines of more than 64 KiB")] = None
    ambiguous: Annotated[PartAction | None, Doc("what readers may understand in two ways")] = None
    hidden: Annotated[
        PartAction | None, Doc("banned parts in odd messages that only some readers may find")
    ] = None
    fragment: Annotated[PartAction | None, Doc("what is not wholly in the message")] = None
    external: Annotated[PartAction | None, Doc("bodies that are kept elsewhere")] = None


@dataclass(frozen=True)
class PartsSettings:
    """Finds dangerous attachments, also inside archives, and takes them out."""

    must_examine: ClassVar[bool] = True

    extensions: Annotated[
        tuple[str, ...], Doc("banned file name extensions, without dot, in lower case")
    ] = BANNED
    kinds: Annotated[tuple[str, ...], Doc("banned types by content, whatever the name says")] = (
        BANNED_KINDS
    )
    media_types: Annotated[
        tuple[str, ...],
        Doc("banned declared types; of this list those count whose extension is banned"),
    ] = BANNED_MEDIA_TYPES
    action: Annotated[
        PartAction,
        Doc("what a banned part means: strip it, give points only, or hold or refuse the message"),
    ] = "strip"
    score: Annotated[float, Ge(0), Doc("points for a message with a banned part")] = 0.5
    active: Annotated[
        PartAction, Doc("the same for documents that start something by themselves")
    ] = "score"
    active_score: Annotated[float, Ge(0), Doc("points for such a document")] = 5.0
    suspicious: Annotated[
        PartAction, Doc("the same for documents with macros, scripts or embedded files")
    ] = "score"
    suspicious_score: Annotated[float, Ge(0), Doc("points for such a document")] = 1.0
    encrypted: Annotated[
        PartAction, Doc("the same for archives and documents that need a password")
    ] = "score"
    encrypted_score: Annotated[float, Ge(0), Doc("points for one")] = 2.0
    damaged: Annotated[PartAction, Doc("the same for archives that cannot be read")] = "score"
    damaged_score: Annotated[float, Ge(0), Doc("points for one")] = 1.0
    unreadable: Annotated[
        PartAction, Doc("the same for archives of formats that nothing here reads: arj, ace, ...")
    ] = "score"
    unreadable_score: Annotated[float, Ge(0), Doc("points for one")] = 2.0
    limit: Annotated[
        PartAction, Doc("the same for what exceeds a limit: archive bombs, endless nesting")
    ] = "quarantine"
    limit_score: Annotated[float, Ge(0), Doc("points for that")] = 3.0
    long_line: Annotated[PartAction, Doc("the same for lines of more than 64 KiB")] = "score"
    long_line_score: Annotated[float, Ge(0), Doc("points for that")] = 0.5
    ambiguous: Annotated[
        PartAction, Doc("the same for mail that readers may understand in different ways")
    ] = "score"
    ambiguous_score: Annotated[float, Ge(0), Doc("points for that")] = 1.0
    hidden: Annotated[
        PartAction,
        Doc("the same for banned parts in odd messages that only some readers may find"),
    ] = "quarantine"
    hidden_score: Annotated[float, Ge(0), Doc("points for that")] = 3.0
    fragment: Annotated[PartAction, Doc("the same for messages that come in several pieces")] = (
        "quarantine"
    )
    fragment_score: Annotated[float, Ge(0), Doc("points for that")] = 2.0
    external: Annotated[
        PartAction, Doc("the same for bodies that are kept elsewhere, such as Internet-Drafts")
    ] = "score"
    external_score: Annotated[float, Ge(0), Doc("points for that")] = 0.5
    verify_dkim: Annotated[
        bool, Doc("verify DKIM before a part is stripped, for Authentication-Results; asks DNS")
    ] = True
    signed: Annotated[
        Literal["strip", "quarantine"],
        Doc("strip from S/MIME- and PGP-signed mail too, which breaks the signature, or hold it"),
    ] = "quarantine"
    archive_depth: Annotated[
        int, Ge(0), Doc("levels of archives inside archives that are opened; 0 opens none")
    ] = UnpackLimits.depth
    archive_members: Annotated[
        int, Gt(0), Doc("files in the archives of one message that are looked at")
    ] = UnpackLimits.members
    archive_size: Annotated[
        int, Gt(0), Doc("octets that the archives of one message may unpack to")
    ] = UnpackLimits.total
    archive_ratio: Annotated[
        int, Gt(1), Doc("octets that one octet of an archive may unpack to, beyond 16 MiB")
    ] = UnpackLimits.ratio
    source_files: Annotated[
        int,
        Ge(0),
        Doc(
            "files from which an archive is one of sources, in which .py, .pl and their like are "
            "not banned; 0: they always are"
        ),
    ] = 100
    try_passwords: Annotated[
        bool, Doc("true: try words of the message's text as passwords of its archives")
    ] = False
    notice: Annotated[
        str, Doc("text in the part's place; knows $filename, $reason, $id and $host")
    ] = NOTICE
    own_clients: Annotated[
        tuple[str, ...],
        Doc("networks whose mail is outbound, besides this host and clients that logged in"),
    ] = ()
    rules: Annotated[
        tuple[PartRule, ...], Doc("other actions for some recipients or one direction")
    ] = ()

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("notice"):
                check_template(self.notice)
            for index, network in enumerate(self.own_clients):
                with wrong.at("own_clients", index):
                    networks([network])
            _check_media_types(wrong, ("media_types",), self.media_types)
            for place, rule in enumerate(self.rules):
                _check_media_types(wrong, ("rules", place, "media_types"), rule.media_types or ())
                for index, pattern in enumerate(rule.recipients):
                    with wrong.at("rules", place, "recipients", index):
                        pattern_keys(pattern)

    @property
    def limits(self) -> UnpackLimits:
        """Of what is unpacked."""
        return UnpackLimits(
            self.archive_depth, self.archive_members, self.archive_size, self.archive_ratio
        )

    @property
    def needs_network(self) -> bool:
        """It asks the DNS for keys of signatures that it is about to break."""
        return self.verify_dkim

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter:
        """The filter."""
        from filterd.filters.parts.filter import Parts  # noqa: PLC0415  (loads readers of archives)

        return Parts(self, services)


def _check_media_types(wrong: Mistakes, key: Key, media_types: Sequence[str]) -> None:
    for index, media_type in enumerate(media_types):
        with wrong.at(*key, index):
            if not _MEDIA_TYPE.fullmatch(media_type):
                raise ValueError(
                    f"{media_type!r} is not a media type "
                    "(expected type/subtype, such as application/x-msdownload)"
                )
