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
class KnownList:
    """One list. answers: return code → symbol, points and so on, and what the symbol means.
    url_addresses: whether it takes URLs whose host is an address."""

    about: tuple[About, ...]
    answers: Mapping[str, tuple[str, str]]
    url_addresses: bool = True
    ipv6: bool = True

    @property
    def codes(self) -> Mapping[str, str]:
        """Return code → symbol, points and so on, as settings write them."""
        return {code: meaning for code, (meaning, _description) in self.answers.items()}

    @property
    def descriptions(self) -> Mapping[str, str]:
        """Symbol → what it means."""
        return {
            meaning.split()[0]: description
            for meaning, description in self.answers.values()
            if description
        }


_ERROR = ("error", "")

KNOWN: Final[Mapping[str, KnownList]] = {
    "zen.spamhaus.org": KnownList(
        ("client",),
        {
            "127.0.0.2": (
                "RCVD_IN_SBL 4",
                "Spamhaus SBL: the client's address is used by known spammers.",
            ),
            "127.0.0.3": ("RCVD_IN_SBL_CSS 3", "Spamhaus CSS: the client's address sends spam."),
            "127.0.0.4-7": ("RCVD_IN_XBL 4", "Spamhaus XBL: the client is a hijacked computer."),
            "127.0.0.9": (
                "RBL_SPAMHAUS_DROP 7",
                "Spamhaus DROP: the client's network is hijacked, or run for spam.",
            ),
            "127.0.0.10-11": (
                "RCVD_IN_PBL 2.5 client",
                "Spamhaus PBL: the client's network should not send mail by itself.",
            ),
        },
    ),
    "dbl.spamhaus.org": KnownList(
        NAMES,
        {
            "127.0.1.2": ("URIBL_DBL_SPAM 6", "Spamhaus DBL: a domain of spam."),
            "127.0.1.4": ("URIBL_DBL_PHISH 7", "Spamhaus DBL: a domain of phishing."),
            "127.0.1.5": ("URIBL_DBL_MALWARE 7", "Spamhaus DBL: a domain of malware."),
            "127.0.1.6": (
                "URIBL_DBL_BOTNETCC 7",
                "Spamhaus DBL: a domain that controls hijacked computers.",
            ),
            "127.0.1.102": (
                "URIBL_DBL_ABUSE_SPAM 3",
                "Spamhaus DBL: an honest domain that is abused for spam.",
            ),
            "127.0.1.103": (
                "URIBL_DBL_ABUSE_REDIR 2",
                "Spamhaus DBL: an honest domain whose redirects are abused.",
            ),
            "127.0.1.104": (
                "URIBL_DBL_ABUSE_PHISH 4",
                "Spamhaus DBL: an honest domain that is abused for phishing.",
            ),
            "127.0.1.105": (
                "URIBL_DBL_ABUSE_MALW 4",
                "Spamhaus DBL: an honest domain that is abused for malware.",
            ),
            "127.0.1.106": (
                "URIBL_DBL_ABUSE_BOTCC 4",
                "Spamhaus DBL: an honest domain that is abused to control computers.",
            ),
            "127.0.1.255": _ERROR,
        },
        url_addresses=False,
    ),
    "multi.surbl.org": KnownList(
        NAMES,
        {
            "127.0.0.1": _ERROR,
            "&4": ("URIBL_DM_SURBL 0", "SURBL: a domain that people dispose of quickly."),
            "&8": ("URIBL_PH_SURBL 7", "SURBL: a domain of phishing."),
            "&16": ("URIBL_MW_SURBL 7", "SURBL: a domain of malware."),
            "&32": ("CT_SURBL 0", "SURBL: a domain that counts clicks."),
            "&64": ("URIBL_ABUSE_SURBL 5", "SURBL: a domain of spam."),
            "&128": ("URIBL_CR_SURBL 4", "SURBL: an honest domain that was cracked."),
        },
    ),
    "multi.uribl.com": KnownList(
        NAMES,
        {
            "127.0.0.1": _ERROR,
            "&2": ("URIBL_BLACK 6", "URIBL black: a domain of spam."),
            "&4": (
                "URIBL_GREY 1.5",
                "URIBL grey: a domain of bulk mail that many did not ask for.",
            ),
            "&8": (
                "URIBL_RED 0.5",
                "URIBL red: a domain that is new, or looks like those of spam.",
            ),
        },
    ),
    "bl.spamcop.net": KnownList(
        ("client",),
        {
            "127.0.0.2": (
                "RCVD_IN_BL_SPAMCOP_NET 2",
                "SpamCop: people reported spam from the client.",
            )
        },
    ),
    "psbl.surriel.com": KnownList(
        ("client",),
        {
            "127.0.0.2": (
                "RCVD_IN_PSBL 2.5",
                "PSBL: the client sent mail to addresses that nobody uses.",
            )
        },
    ),
    "bl.blocklist.de": KnownList(
        ("client",),
        {"127.0.0.*": ("RBL_BLOCKLISTDE 3", "blocklist.de: the client attacks servers.")},
    ),
    "bl.spameatingmonkey.net": KnownList(
        ("client",),
        {
            "127.0.0.2-3": (
                "RBL_SEM 1",
                "Spam Eating Monkey: the client sent mail to addresses that nobody uses.",
            )
        },
        ipv6=False,
    ),
    "rep.mailspike.net": KnownList(
        ("client",),
        {
            "127.0.0.10": (
                "RCVD_IN_MSPIKE_L5 3",
                "Mailspike: the client has a very bad reputation.",
            ),
            "127.0.0.11": ("RCVD_IN_MSPIKE_L4 2", "Mailspike: the client has a bad reputation."),
            "127.0.0.12": (
                "RCVD_IN_MSPIKE_L3 1",
                "Mailspike: the client has a rather bad reputation.",
            ),
            "127.0.0.17": (
                "RCVD_IN_MSPIKE_H2 0",
                "Mailspike: the client has an average reputation.",
            ),
            "127.0.0.18": (
                "RCVD_IN_MSPIKE_H3 -0.2",
                "Mailspike: the client has a good reputation.",
            ),
            "127.0.0.19": (
                "RCVD_IN_MSPIKE_H4 -0.5",
                "Mailspike: the client has a very good reputation.",
            ),
            "127.0.0.20": (
                "RCVD_IN_MSPIKE_H5 -1",
                "Mailspike: the client has an excellent reputation.",
            ),
        },
    ),
    "list.dnswl.org": KnownList(
        ("client",),
        {
            # To those who ask too often it says that, or that everybody is good.
            "127.0.0.255": _ERROR,
            "127.0.10.*": _ERROR,
            "127.0.*.0": (
                "RCVD_IN_DNSWL_NONE 0",
                "DNSWL: the client is a known mail server, without trust.",
            ),
            "127.0.*.1": (
                "RCVD_IN_DNSWL_LOW -0.5",
                "DNSWL: the client is a known mail server, with low trust.",
            ),
            "127.0.*.2": (
                "RCVD_IN_DNSWL_MED -1.5 allow",
                "DNSWL: the client is a known mail server, with medium trust.",
            ),
            "127.0.*.3": (
                "RCVD_IN_DNSWL_HI -3 allow",
                "DNSWL: the client is a known mail server, with high trust.",
            ),
        },
    ),
}
