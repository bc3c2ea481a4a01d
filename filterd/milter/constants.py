"""Numbers of the milter protocol, spelled as sendmail's and Postfix's sources spell them.

Source: sendmail 8.17 `include/libmilter/mfdef.h`.
"""

from __future__ import annotations

from enum import Enum, IntFlag

VERSION = 6
"""The protocol version that we speak, SMFI_PROT_VERSION."""

HIGHEST_ACCEPTED_VERSION = 0x01000001
"""sendmail compares a filter's answer with its library version, so 7 or 99 pass as well."""

CHUNK_SIZE = 65535
"""Octets of data that the MTA puts into one packet at most, MILTER_CHUNK_SIZE."""


class Command(bytes, Enum):
    """What the MTA says; the value is the octet on the wire."""

    ABORT = b"A"
    BODY = b"B"
    CONNECT = b"C"
    MACRO = b"D"
    BODYEOB = b"E"
    HELO = b"H"
    QUIT_NC = b"K"
    HEADER = b"L"
    MAIL = b"M"
    EOH = b"N"
    OPTNEG = b"O"
    QUIT = b"Q"
    RCPT = b"R"
    DATA = b"T"
    UNKNOWN = b"U"


class ReplyCode(bytes, Enum):
    """What the filter says; the value is the octet on the wire."""

    ADDRCPT = b"+"
    DELRCPT = b"-"
    ADDRCPT_PAR = b"2"
    SHUTDOWN = b"4"
    ACCEPT = b"a"
    REPLBODY = b"b"
    CONTINUE = b"c"
    DISCARD = b"d"
    CHGFROM = b"e"
    CONN_FAIL = b"f"
    ADDHEADER = b"h"
    INSHEADER = b"i"
    SETSYMLIST = b"l"
    CHGHEADER = b"m"
    OPTNEG = b"O"
    PROGRESS = b"p"
    QUARANTINE = b"q"
    REJECT = b"r"
    SKIP = b"s"
    TEMPFAIL = b"t"
    REPLYCODE = b"y"


class Actions(IntFlag):
    """What a filter may do to a message, SMFIF_*."""

    ADDHDRS = 0x1
    CHGBODY = 0x2
    ADDRCPT = 0x4
    DELRCPT = 0x8
    CHGHDRS = 0x10
    QUARANTINE = 0x20
    CHGFROM = 0x40
    ADDRCPT_PAR = 0x80
    SETSYMLIST = 0x100


class Steps(IntFlag):
    """Which commands a filter does not want, or does not answer, SMFIP_*."""

    NOCONNECT = 0x1
    NOHELO = 0x2
    NOMAIL = 0x4
    NORCPT = 0x8
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000


class MacroStage(int, Enum):
    """Stages that have a macro list of their own, SMFIM_*; the value is the one on the wire."""

    CONNECT = 0
    HELO = 1
    ENVFROM = 2
    ENVRCPT = 3
    DATA = 4
    EOM = 5
    EOH = 6


ALL_ACTIONS = Actions(0x1FF)
ALL_STEPS = Steps(0x1FFFFF)

ACTIONS_BY_VERSION = {
    2: Actions(0x3F),
    3: Actions(0x3F),
    4: Actions(0x3F),
    5: Actions(0x3F),
    6: ALL_ACTIONS,
}
STEPS_BY_VERSION = {
    2: Steps(0x7F),
    3: Steps(0x17F),
    4: Steps(0x37F),
    5: Steps(0x37F),
    6: ALL_STEPS,
}
"""What an MTA that speaks a version offers."""
