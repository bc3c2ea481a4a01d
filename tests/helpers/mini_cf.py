"""A short sendmail.cf whose rules route mail as stock ones do, for tests without m4."""

from __future__ import annotations

from pathlib import Path

from filterd.mta.sendmail.cf_files import checked, parse_cf
from filterd.mta.sendmail.router import RuleRouter
from filterd.mta.sendmail.site import site

RULES = """\
V10/Berkeley
Djmx.example.test
Cwmx.example.test localhost here.test
O OperatorChars=.:%@!^/[]+
O BlankSub=.
O DontBlameSendmail=truststickybit,groupwritabledirpathsafe
Kdequote dequote
Scanonify=3
R$*\t\t\t$: < $1 >
R$+ < $* >\t\t< $2 >
R< $* > $+\t\t< $1 >
R<>\t\t\t$@ < @ >
R< : include : $* >\t$@ : include : $1
R< $+ >\t\t\t$: $1
R$* @ $+\t\t$: $1 < @ $2 >
R$* < @ $=w . >\t\t$1 < @ $2 >
Sparse=0
R< @ >\t\t\t$#local $: <>
R$* < @ >\t\t$#error $@ 5.1.3 $: "553 Hostname required"
R< @ $+ >\t\t$#error $@ 5.1.3 $: "553 User address required"
R$* < @ $=w >\t\t$: $1
R$+ < @ $+ >\t\t$#esmtp $@ $2 $: $1 < @ $2 >
R$+\t\t\t$#local $: $1
Slocaladdr=5
R$+ + *\t\t\t$#local $@ $&h $: $1
R$+ + $*\t\t$#local $@ + $2 $: $1 + *
Sfinal=4
R$* <>\t\t\t$@
R< @ >\t\t\t$@
R$* < $+ > $*\t\t$1 $2 $3
SEnvFromL
R<@>\t\t\t$n
R< @ >\t\t\t$n
R@ <@>\t\t\t$n
SHeadSmtp
R$- \t\t\t$: $1 < @ $j >
"""
"""Addresses of class w are local, others go by esmtp; `user+detail` as in stock files."""

MAILERS = """\
Mlocal,\t\tP=/bin/true, F=lsDFMA5:/|@qSPn9FLAGS, S=EnvFromL, T=DNS/RFC822/X-Unix,
\t\tA=true -d $u
Mprog,\t\tP=/bin/sh, F=lsDFMoqeu9, T=X-Unix/X-Unix/X-Unix, A=sh -c $u
Mesmtp,\t\tP=[IPC], F=mDFMuXa, S=HeadSmtp, R=HeadSmtp, E=\\r\\n, A=TCP $h
"""


def mini_cf(*more: str, flags: str = "") -> str:
    """The file. more: lines of its own. flags: of the mailer local, `w` for users in passwd."""
    return RULES + MAILERS.replace("FLAGS", flags) + "".join(f"{line}\n" for line in more)


def router(
    *more: str, flags: str = "", aliases: Path | None = None, user: str = "0:0"
) -> RuleRouter:
    """The router of such a file. user: DefaultUser, who must be able to read lists; "" for no
    such line."""
    lines = (f"O DefaultUser={user}", *more) if user else more
    if aliases is not None:
        lines = (*lines, f"O AliasFile={aliases}")
    return site(checked(parse_cf(mini_cf(*lines, flags=flags)))).router()
