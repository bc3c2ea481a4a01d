"""Lists that filterd knows: what they are asked about and what their answers mean.

Only a beginning for the settings: nothing of this is asked unless `[[filters.dnslists.lists]]`
names the zone. Names of symbols are those of SpamAssassin, or of rspamd where SpamAssassin has
none; the points are filterd's own, for its thresholds. Many lists want to be paid for, or a key,
beyond some use; each says so on its page.

Sources: each list's own description of its codes; RFC 5782.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

About = Literal["client", "received", "rdns", "helo", "sender", "dkim", "url", "email"]
"""What a list is asked about. client: the address of the SMTP client, or of the first host that no
trusted relay vouches for. received: the addresses in the Received fields below. rdns: the client's
name, as the MTA looked it up. helo: what it called itself. sender: the domain of the reverse-path.
dkim: `d=` of the signatures, unverified. url: hosts of URLs. email: domains of mail addresses in
the text."""

OF_CLIENT: Final[tuple[About, ...]] = ("client", "rdns", "helo", "sender")
"""What is known before the message."""

OF_CONTENT: Final[tuple[About, ...]] = ("url", "email", "dkim")

ADDRESSES: Final = frozenset({"client", "received"})
"""Those that are an address; the others are names, and may be addresses in URLs and HELO."""

NAMES: Final[tuple[About, ...]] = ("url", "email", "sender", "helo", "rdns", "dkim")


@dataclass(frozen=True, slots=True)
class Known:
    """One list. url_addresses: whether it takes URLs whose host is an address."""

    about: tuple[About, ...]
    codes: Mapping[str, str]
    url_addresses: bool = True
    ipv6: bool = True


KNOWN: Final[Mapping[str, Known]] = {
    "zen.spamhaus.org": Known(
        ("client",),
        {
            "127.0.0.2": "RCVD_IN_SBL 4",
            "127.0.0.3": "RCVD_IN_SBL_CSS 3",
            "127.0.0.4-7": "RCVD_IN_XBL 4",
            "127.0.0.9": "RBL_SPAMHAUS_DROP 7",
            "127.0.0.10-11": "RCVD_IN_PBL 2.5 client",
        },
    ),
    "dbl.spamhaus.org": Known(
        NAMES,
        {
            "127.0.1.2": "URIBL_DBL_SPAM 6",
            "127.0.1.4": "URIBL_DBL_PHISH 7",
            "127.0.1.5": "URIBL_DBL_MALWARE 7",
            "127.0.1.6": "URIBL_DBL_BOTNETCC 7",
            "127.0.1.102": "URIBL_DBL_ABUSE_SPAM 3",
            "127.0.1.103": "URIBL_DBL_ABUSE_REDIR 2",
            "127.0.1.104": "URIBL_DBL_ABUSE_PHISH 4",
            "127.0.1.105": "URIBL_DBL_ABUSE_MALW 4",
            "127.0.1.106": "URIBL_DBL_ABUSE_BOTCC 4",
            "127.0.1.255": "error",
        },
        url_addresses=False,
    ),
    "multi.surbl.org": Known(
        NAMES,
        {
            "127.0.0.1": "error",
            "&4": "URIBL_DM_SURBL 0",
            "&8": "URIBL_PH_SURBL 7",
            "&16": "URIBL_MW_SURBL 7",
            "&32": "CT_SURBL 0",
            "&64": "URIBL_ABUSE_SURBL 5",
            "&128": "URIBL_CR_SURBL 4",
        },
    ),
    "multi.uribl.com": Known(
        NAMES,
        {
            "127.0.0.1": "error",
            "&2": "URIBL_BLACK 6",
            "&4": "URIBL_GREY 1.5",
            "&8": "URIBL_RED 0.5",
        },
    ),
    "bl.spamcop.net": Known(("client",), {"127.0.0.2": "RCVD_IN_BL_SPAMCOP_NET 2"}),
    "psbl.surriel.com": Known(("client",), {"127.0.0.2": "RCVD_IN_PSBL 2.5"}),
    "bl.blocklist.de": Known(("client",), {"127.0.0.*": "RBL_BLOCKLISTDE 3"}),
    "bl.spameatingmonkey.net": Known(("client",), {"127.0.0.2-3": "RBL_SEM 1"}, ipv6=False),
    "rep.mailspike.net": Known(
        ("client",),
        {
            "127.0.0.10": "RCVD_IN_MSPIKE_L5 3",
            "127.0.0.11": "RCVD_IN_MSPIKE_L4 2",
            "127.0.0.12": "RCVD_IN_MSPIKE_L3 1",
            "127.0.0.17": "RCVD_IN_MSPIKE_H2 0",
            "127.0.0.18": "RCVD_IN_MSPIKE_H3 -0.2",
            "127.0.0.19": "RCVD_IN_MSPIKE_H4 -0.5",
            "127.0.0.20": "RCVD_IN_MSPIKE_H5 -1",
        },
    ),
    "list.dnswl.org": Known(
        ("client",),
        {
            # To those who ask too often it says that, or that everybody is good.
            "127.0.0.255": "error",
            "127.0.10.*": "error",
            "127.0.*.0": "RCVD_IN_DNSWL_NONE 0",
            "127.0.*.1": "RCVD_IN_DNSWL_LOW -0.5",
            "127.0.*.2": "RCVD_IN_DNSWL_MED -1.5 allow",
            "127.0.*.3": "RCVD_IN_DNSWL_HI -3 allow",
        },
    ),
}
