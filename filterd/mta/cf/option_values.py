"""What sendmail says of the values of options.

A bad unit of time is only told; of the rest each is an error, and after some of them sendmail does
not read on. Source: sendmail 8.17 `readcf.c` (setoption, settimeout), `conf.c`, `convtime.c`,
`milter.c` (milter_set_option); texts observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from filterd.mta.cf.map_options import leading_number

EX_USAGE = 64

MODES = {"DeliveryMode": ("delivery mode", "qbid"), "EightBitMode": ("8-bit mode", "pms")}
"""Options of which sendmail must know the first letter of the value, or ends at once."""

TIMES = frozenset(
    """
    AliasWait ConnectionCacheTimeout ConnectionRateWindowSize DeliverByMin DialDelay MaxQueueAge
    MinQueueAge QueueTimeout
    """.split()
)
"""Options that are times, besides `Timeout.…`."""

_TIMEOUTS = frozenset(
    """
    aconnect auth command connect control datablock datafinal datainit fileopen helo hoststatus
    iconnect ident initial lhlo mail misc queuereturn queuereturn.* queuereturn.dsn
    queuereturn.non-urgent queuereturn.normal queuereturn.urgent queuewarn queuewarn.*
    queuewarn.dsn queuewarn.non-urgent queuewarn.normal queuewarn.urgent quit rcpt
    resolver.retrans resolver.retrans.first resolver.retrans.normal resolver.retry
    resolver.retry.first resolver.retry.normal rset starttls
    """.split()
)

_TWICE = ("queuereturn", "queuewarn", "resolver.retrans")
"""Of these the value is read a second time, and complained of again."""

_BLAME = frozenset(
    """
    safe assumesafechown groupwritabledirpathsafe groupwritableforwardfilesafe
    groupwritableincludefilesafe groupwritablealiasfile worldwritablealiasfile
    forwardfileinunsafedirpath includefileinunsafedirpath mapinunsafedirpath
    linkedaliasfileinwritabledir linkedclassfileinwritabledir linkedforwardfileinwritabledir
    linkedincludefileinwritabledir linkedmapinwritabledir linkedserviceswitchfileinwritabledir
    filedeliverytohardlink filedeliverytosymlink writemaptohardlink writemaptosymlink
    writestatstohardlink writestatstosymlink forwardfileingroupwritabledirpath
    includefileingroupwritabledirpath classfileinunsafedirpath errorheaderinunsafedirpath
    helpfileinunsafedirpath forwardfileinunsafedirpathsafe includefileinunsafedirpathsafe
    runprograminunsafedirpath runwritableprogram dontwarnforwardfileinunsafedirpath nonrootsafeaddr
    truststickybit insufficiententropy groupreadablesasldbfile groupwritablesasldbfile
    groupwritableforwardfile groupwritableincludefile worldwritableforwardfile
    worldwritableincludefile groupreadabledefaultauthinfofile groupreadablekeyfile
    """.split()
)

_RESOLVER = frozenset(
    """
    debug aaonly usevc primary igntc recurse defnames stayopen dnsrch use_edns0 use_dnssec trustad
    haswildcardmx workaroundbrokenaaaa
    """.split()
)

_SSL = frozenset(
    """
    microsoft_sess_id_bug netscape_challenge_bug legacy_server_connect
    netscape_reuse_cipher_change_bug sslref2_reuse_cert_type_bug microsoft_big_sslv3_buffer
    msie_sslv2_rsa_padding ssleay_080_client_dh_bug tls_d5_bug tls_block_padding_bug
    dont_insert_empty_fragments all no_query_mtu cookie_exchange no_ticket cisco_anyconnect
    no_session_resumption_on_renegotiation no_compression allow_unsafe_legacy_renegotiation
    single_ecdh_use single_dh_use ephemeral_rsa cipher_server_preference tls_rollback_bug no_sslv2
    no_sslv3 no_tlsv1 no_tlsv1_3 no_tlsv1_2 no_tlsv1_1 pkcs1_check_1 pkcs1_check_2
    netscape_ca_dn_bug netscape_demo_cipher_change_bug cryptopro_tlsext_bug tlsext_padding
    no_renegotiation no_anti_replay allow_no_dhe_kex no_encrypt_then_mac prioritize_chacha
    enable_middlebox_compat
    """.split()
)

_ACTIONS = ("none", "add-to", "add-apparently-to", "add-bcc", "add-to-undisclosed")

_MILTER = frozenset(
    """
    loglevel macros.connect macros.helo macros.envfrom macros.envrcpt macros.data macros.eoh
    macros.eom
    """.split()
)

_LETTERS = {"AuthOptions": "acdfmpyA", "TLSSrvOptions": "CV"}


def time_complaints(name: str, value: str) -> Iterator[str]:
    """What is only told: units of time that nobody knows."""
    base, _, sub = name.partition(".")
    if base != "Timeout" and base not in TIMES:
        return
    if base == "Timeout" and (sub.lower() not in _TIMEOUTS | {""} or "=" in value):
        return
    # Returned, and warned of: 5d/4h.
    parts = value.split("/", 1) if base == "QueueTimeout" else [value]
    found = [told for part in parts for told in unit_complaints(part)]
    yield from found
    if base == "QueueTimeout" or sub.lower().startswith(_TWICE):
        yield from found


def unit_complaints(value: str) -> Iterator[str]:
    """Of the units in a time that nobody knows: a time is numbers, each with a unit, perhaps behind
    a minus."""
    if value.lower() == "now":
        return
    for one in value.removeprefix("-"):
        if one not in "0123456789wdhms":
            yield f"Invalid time unit `{one}'"


def warnings(name: str, value: str) -> Iterator[str]:
    """What sendmail warns of without a line's number: unknown letters, and lengths that are too
    small."""
    if name == "MaxMimeHeaderLength":
        yield from _short_lengths(value)
    for letter in value:
        if name in _LETTERS and letter not in _LETTERS[name] and letter not in " \t,":
            yield f"Warning: Option: {name} unknown parameter '{letter}'"


def mime_lengths(value: str) -> tuple[int, int]:
    """Octets of a field of MIME and of one of its parameters, 0 for any: `2048/1024`, `2048`."""
    whole, slash, part = value.partition("/")
    length = leading_number(whole)
    length = max(0, length)
    if not slash:
        return length, length // 2
    return length, max(leading_number(part), 0)


def _short_lengths(value: str) -> Iterator[str]:
    length, part = mime_lengths(value)
    if 0 < length < 128:
        yield "Warning: MaxMimeHeaderLength: header length limit set lower than 128"
    if 0 < part < 40:
        yield "Warning: MaxMimeHeaderLength: field length limit set lower than 40"


def fatal(name: str, value: str) -> str:
    """With what sendmail ends at once, "" if it goes on."""
    if name not in MODES:
        return ""
    what, letters = MODES[name]
    letter = value[:1]
    if (letter and letter in letters) or (name == "DeliveryMode" and not letter):
        return ""
    return f"Unknown {what} {letter}"


def problems(name: str, value: str) -> Iterator[str]:
    """The errors in a value."""
    base, _, sub = name.partition(".")
    check = _CHECKS.get(base)
    if check is not None:
        yield from check(sub or name[len(base) :], value)


def _timeout(sub: str, value: str) -> Iterator[str]:
    # Old files have them in one line: Orcommand=5m,quit=1m
    old = [one.partition("=")[0].strip() for one in value.split(",") if "=" in one]
    for name in [sub] if sub else old:
        if name.lower() not in _TIMEOUTS:
            yield f"settimeout: invalid timeout {name.removeprefix('.')}"


def _milter(sub: str, value: str) -> Iterator[str]:
    del value
    if not sub:
        yield "milter_set_option: invalid Milter option, must specify suboption"
    elif sub.lower() not in _MILTER:
        yield f"milter_set_option: invalid Milter option {sub}"


def _sort_order(sub: str, value: str) -> Iterator[str]:
    del sub
    if value[:1].lower() not in tuple("fhmnprst"):
        yield f'Invalid queue sort order "{value}"'


def _action(sub: str, value: str) -> Iterator[str]:
    del sub
    if value.lower() not in _ACTIONS:
        yield f"Invalid NoRecipientAction: {value}"


def _blame(sub: str, value: str) -> Iterator[str]:
    del sub
    for word in re.findall("[A-Za-z0-9]+", value):
        if word.lower() not in _BLAME:
            yield f"readcf: DontBlameSendmail option: {word} unrecognized"


def _resolver(sub: str, value: str) -> Iterator[str]:
    del sub
    for word in value.split():
        plain = word.lstrip("+-")
        if plain.lower() not in _RESOLVER:
            yield f"readcf: I option value {plain} unrecognized"


def _ssl(option: str) -> Callable[[str, str], Iterator[str]]:
    def check(sub: str, value: str) -> Iterator[str]:
        del sub
        for word in value.split():
            plain = word.lstrip("+-")
            is_name = plain[:7].lower() == "ssl_op_" and plain[7:].lower() in _SSL
            if not is_name and not plain[:1].isdecimal():
                yield f"readcf: {option} option value {plain} unrecognized"

    return check


_CHECKS: Mapping[str, Callable[[str, str], Iterator[str]]] = {
    "Timeout": _timeout,
    "Milter": _milter,
    "QueueSortOrder": _sort_order,
    "NoRecipientAction": _action,
    "DontBlameSendmail": _blame,
    "ResolverOptions": _resolver,
    "ServerSSLOptions": _ssl("ServerSSLOptions"),
    "ClientSSLOptions": _ssl("ClientSSLOptions"),
}
