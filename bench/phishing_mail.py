"""Phishing of today and the honest notices that it imitates, generated: HTML, brands, one link."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """One kind of notice. subject and text of the honest one, and of the one that imitates it."""

    subject: str
    text: tuple[str, ...]
    button: str
    false_subject: str
    false_text: tuple[str, ...]
    false_button: str


NOTICES = (
    Notice(
        "Your password was changed",
        (
            "the password of your mailbox was changed today at {hour}:{minute}.",
            "If that was you, there is nothing to do.",
            "Otherwise please call the help desk, extension {number}.",
        ),
        "Recent activity",
        "Password expires today",
        (
            "the password of your mailbox expires in {hours} hours.",
            "To keep the same password, use the button below.",
            "Your messages will be held until your account is confirmed.",
        ),
        "Keep current password",
    ),
    Notice(
        "Your parcel {number} is on its way",
        (
            "your parcel will be delivered on {weekday} between {hour} and {later} o'clock.",
            "You can choose another day or a pick-up point until the evening before.",
        ),
        "Track parcel",
        "Parcel {number}: delivery failed",
        (
            "we could not deliver your parcel because the customs fee of {fee} is unpaid.",
            "Confirm your address and pay within {hours} hours, or it will be returned.",
        ),
        "Schedule new delivery",
    ),
    Notice(
        '{person} shared "Plan {number}" with you',
        (
            "{person} added you as editor of the following document.",
            "This message was sent because your notifications are on.",
        ),
        "Open in Documents",
        "{person} sent you a secure document",
        (
            "you have received a confidential file through the document portal.",
            "Sign in with your e-mail address to verify your identity and read it.",
            "The link expires in {hours} hours.",
        ),
        "Review document",
    ),
    Notice(
        "Your statement for {month} is ready",
        (
            "the statement of your account ending in {digits} can be read in online banking.",
            "We never ask for your password by e-mail.",
        ),
        "Log in",
        "Action required: your account is limited",
        (
            "we noticed unusual activity on your account ending in {digits}.",
            "For your security it has been limited until you verify your information.",
            "If you do not respond within {hours} hours it will be suspended.",
        ),
        "Restore access",
    ),
    Notice(
        "Payslip for {month}",
        (
            "your payslip for {month} is in the staff portal, as every month.",
            "Questions are answered by the payroll office on {weekday}.",
        ),
        "Staff portal",
        "Important: salary adjustment for {month}",
        (
            "all employees must acknowledge the revised salary structure for {month}.",
            "Sign in with your work account to see your new amount before {weekday}.",
        ),
        "Acknowledge now",
    ),
    Notice(
        "New voice message from extension {number}",
        (
            "you have a new voice message, {digits} seconds long, received at {hour}:{minute}.",
            "It is attached to your mailbox at the telephone system.",
        ),
        "Listen",
        "Voicemail (00:{minute}) from +1 ***-***-{digits}",
        (
            "a caller left you a voice message which could not be attached.",
            "Validate your mailbox to listen; messages are deleted after {hours} hours.",
        ),
        "Play audio",
    ),
    Notice(
        "Order {number} confirmed",
        (
            "thank you for your order. We will write again when it is sent.",
            "Total {fee}, paid by card ending in {digits}.",
        ),
        "View order",
        "Invoice {number}: your subscription was renewed",
        (
            "your card was charged {fee} for another year of protection.",
            "If you did not authorise this, cancel within {hours} hours for a full refund.",
        ),
        "Cancel and get refund",
    ),
)
BRANDS = ("Northpost", "Halden Bank", "Parcelo", "Orbit Cloud", "Lumen Mail", "Kestrel Pay")
PEOPLE = ("Maria Lind", "Tom Becker", "Aisha Khan", "Jean Roux", "Eva Novak", "Sam Ortiz")
MONTHS = ("September", "October", "November", "December")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
HOSTS = ("secure-login", "webmail-update", "portal-verify", "account-desk", "docs-view")
COLORS = ("#0067b8", "#1a73e8", "#d40511", "#003087", "#222222")


def notice(seed: int, *, phishing: bool) -> bytes:
    """One message, about 2.5 KB, the same for the same seed."""
    chance = random.Random(f"{seed} {phishing}")
    kind = NOTICES[seed % len(NOTICES)]
    brand, person = chance.choice(BRANDS), chance.choice(PEOPLE)
    slots = {
        "hour": str(chance.randrange(8, 18)),
        "later": str(chance.randrange(18, 21)),
        "minute": f"{chance.randrange(10, 60)}",
        "hours": chance.choice(("12", "24", "48", "72")),
        "number": str(chance.randrange(10_000, 99_999)),
        "digits": str(chance.randrange(1000, 9999)),
        "fee": f"{chance.randrange(1, 400)}.{chance.randrange(10, 99)} EUR",
        "person": person,
        "month": chance.choice(MONTHS),
        "weekday": chance.choice(WEEKDAYS),
    }
    subject, lines, button = (
        (kind.false_subject, kind.false_text, kind.false_button)
        if phishing
        else (kind.subject, kind.text, kind.button)
    )
    subject = subject.format(**slots)
    text = [line.format(**slots) for line in lines]
    own = f"{brand.lower().replace(' ', '')}.example"
    other = f"{chance.choice(HOSTS)}{chance.randrange(100)}.example.{chance.choice(('net', 'org'))}"
    sender = f"no-reply@{other if phishing else own}"
    link = f"https://{other if phishing else 'www.' + own}/{chance.getrandbits(48):x}"
    color = chance.choice(COLORS)
    sign = f"{brand}, {chance.randrange(1, 99)} Harbour Street"
    paragraphs = "".join(f'<p style="margin:0 0 16px">{line}</p>' for line in text)
    html = (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width"></head><body style="margin:0;background:#f4f4f4">\n'
        '<table role="presentation" width="100%"><tr><td align="center"><table width="600" '
        'style="background:#fff;font-family:Segoe UI,Arial,sans-serif;font-size:15px">\n'
        f'<tr><td style="padding:24px;background:{color};color:#fff"><b>{brand}</b></td></tr>\n'
        f'<tr><td style="padding:24px"><p>Hello Ann,</p>{paragraphs}\n'
        f'<a href="{link}" style="background:{color};color:#fff;padding:12px 24px;'
        f'border-radius:4px;text-decoration:none">{button}</a></td></tr>\n'
        f'<tr><td style="padding:24px;font-size:12px;color:#777">{sign}</td></tr></table></td>'
        "</tr></table></body></html>\n"
    )
    mark = f"{chance.getrandbits(64):016x}"
    relay = f"mail{chance.randrange(9)}.{other if phishing else own}"
    plain = "\n\n".join(("Hello Ann,", *text, f"{button}: {link}", sign))
    return (
        f"Received: from {relay} ({relay} [198.51.100.{chance.randrange(1, 250)}])\n"
        f"\tby mx.example.org with ESMTPS id {mark[:12]};\n\tMon, 23 Nov 2026 10:00:00 +0000\n"
        f'From: "{brand}" <{sender}>\nTo: ann@example.org\nSubject: {subject}\n'
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <{mark}@{relay}>\n"
        f'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="{mark[:8]}"\n\n'
        f"--{mark[:8]}\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n"
        f"--{mark[:8]}\nContent-Type: text/html; charset=utf-8\n\n{html}--{mark[:8]}--\n"
    ).encode()
