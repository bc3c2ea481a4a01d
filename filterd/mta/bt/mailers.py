"""The line that `=M` prints for a mailer."""

from __future__ import annotations

from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.program import Program


def mailer_line(mailer: MailerLine, program: Program) -> str:
    show = program.names.show
    title = [
        program.rulesets[number].title
        for number in (
            mailer.senders.envelope,
            mailer.senders.header,
            mailer.recipients.envelope,
            mailer.recipients.header,
        )
    ]
    charset = f" C={mailer.charset}" if mailer.charset else ""
    types = "/".join(one or "<undefined>" for one in mailer.types)
    words = " ".join(show(word) for word in mailer.words)
    return (
        f"mailer {mailer.number} ({mailer.name}): P={mailer.path} "
        f"S={title[0]}/{title[1]} R={title[2]}/{title[3]} M={mailer.max_size} "
        f"U={mailer.user}:{mailer.group} F={mailer.flags} L={mailer.line_limit} "
        f"E={show(mailer.end_of_line)}{charset} T={types} r={mailer.max_recipients} A={words}\n"
    )
