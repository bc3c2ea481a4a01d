"""What a reviewer is warned of: whom a message claims to come from, and where its links lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message import Client, Envelope, Message, Recipient
from filterd.review import warnings
from filterd.review.look_alikes import look_alike, skeleton
from filterd.review.warnings import ShownLink, WarningKind, warnings_of

TO = ("joe@bank.example",)


def of(
    header: str, *links: tuple[str, str], sender: str = "ann@a.example", to: tuple[str, ...] = TO
) -> list[tuple[str, str]]:
    """Kind and text of each warning."""
    envelope = Envelope(sender, tuple(map(Recipient, to)), Client("c.example", "192.0.2.1"))
    data = header.encode().replace(b"\n", b"\r\n") + b"\r\n\r\ntext\r\n"
    found = warnings_of(Message(data, envelope), [ShownLink(*one) for one in links], to)
    return [(str(one.kind), one.text) for one in found]


FROM = "From: Ann <ann@a.example>"

HONEST = [
    FROM,
    "From: ann@a.example",
    "Subject: no author",
    f"{FROM}\nReply-To: ann@a.example",
    f"{FROM}\nReply-To: Help <help@desk.a.example>",
    'From: "ann@a.example" <ann@a.example>',
    'From: "Ann (ann@lists.a.example)" <ann@a.example>',
    "From: Ann @ Work <ann@a.example>",
    "From: a@a.example, b@b.example\nReply-To: b@b.example",
    # A domain of one script, and those that go together.
    "From: ann@xn--mller-kva.example",
    "From: ann@日本ひらカタabc.example",
    "From: ann@сосна.рф",
    # One's own.
    "From: joe@bank.example",
    "From: joe@mail.bank.example",
]


@pytest.mark.parametrize("header", HONEST)
def test_honest_mail(header: str) -> None:
    assert of(header) == []


@pytest.mark.parametrize(
    ("header", "kind", "text"),
    [
        (
            f"{FROM}\nReply-To: ann@b.example",
            "reply-to",
            "Replies go to ann@b.example, not to the domain of the sender, a.example.",
        ),
        (
            'From: "boss@firm.example" <ann@a.example>',
            "name",
            "The sender's name says boss@firm.example, the address is ann@a.example.",
        ),
        # =?utf-8?q?boss=40firm.example?= says the same, and so does a wide @.
        (
            "From: =?utf-8?q?boss=40firm.example?= <ann@a.example>",
            "name",
            "The sender's name says boss@firm.example, the address is ann@a.example.",
        ),
        (
            "From: boss＠firm.example <ann@a.example>",
            "name",
            "The sender's name says boss@firm.example, the address is ann@a.example.",
        ),
        (
            "From: Ann (boss@firm.example) <ann@a.example>",
            "name",
            "The sender's name says boss@firm.example, the address is ann@a.example.",
        ),
        (
            "From: ann@pаypal.example",  # Cyrillic а
            "look-alike",
            "The sender's domain, pаypal.example (xn--pypal-4ve.example), may deceive: "
            "“pаypal” has letters of different scripts, Cyrillic and Latin.",
        ),
        (
            "From: ann@раураӏ.example",  # all of them
            "look-alike",
            "The sender's domain, раураӏ.example (xn--80aa0cbo65f.example), may deceive: "
            "the Cyrillic letters of “раураӏ” look like Latin ones.",
        ),
        (
            "From: ann@bаnk.example",
            "look-alike",
            "The sender's domain, bаnk.example (xn--bnk-6cd.example), may deceive: "
            "it looks like bank.example.",
        ),
        (
            "From: ann@mail.bänk.example",
            "look-alike",
            "The sender's domain, mail.bänk.example (mail.xn--bnk-qla.example), may deceive: "
            "it looks like bank.example.",
        ),
        (
            "From: ann@bank.example.evil.example",
            "look-alike",
            "The sender's domain, bank.example.evil.example, may deceive: "
            "it has bank.example in it, and is of evil.example.",
        ),
    ],
)
def test_a_header_that_deceives(header: str, kind: str, text: str) -> None:
    assert of(header) == [(kind, text)]


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("bill.example", "bi11.example"),
        ("bill.example", "blil.example"),
        ("mint.example", "rnint.example"),
        ("south.example", "s0uth.example"),
        ("world.example", "vvorlcl.example"),
    ],
)
def test_a_domain_like_that_of_a_recipient(own: str, other: str) -> None:
    header = f"From: ann@{other}"
    assert of(header, to=(f"joe@{own}",)) == [
        ("look-alike", f"The sender's domain, {other}, may deceive: it looks like {own}.")
    ]
    assert of(header, to=("joe@c.example",)) == []


def test_the_envelope_sender_and_links_may_look_alike_too() -> None:
    link = ("https://www.b4nk-login.example/", "Log in"), ("https://bаnk.example/", "Log in")
    kinds = of(FROM, *link, sender="x@bank.example.org")
    assert [text.partition(",")[0] for _, text in kinds] == [
        "The domain of the envelope sender",
        "The domain of a link",
    ]


@pytest.mark.parametrize(
    ("target", "text", "told"),
    [
        ("https://a.example/", "our page", ""),
        ("https://www.shop.com/x", "shop.com", ""),
        ("https://shop.com/x", "https://www.shop.com/offers?x=1", ""),
        ("https://shop.com/x", "notes.md", ""),
        ("https://shop.com/x", "Node.js", ""),
        ("https://shop.com/x", "3.14", ""),
        ("mailto:ann@shop.com", "ann@bank.com", ""),
        ("#top", "shop.com", ""),
        ("http://[broken", "shop.com", ""),
        ("https://evil.com/x", "shop.com", "A link shows shop.com and leads to evil.com."),
        ("https://evil.com/", "https://shop.com", "A link shows shop.com and leads to evil.com."),
        ("https://evil.com/", "HTTPS://Shop.com/a", "A link shows Shop.com and leads to evil.com."),
        ("https://evil.com/", "ann@shop.com", "A link shows shop.com and leads to evil.com."),
        ("http://192.0.2.7/", "shop.com", "A link shows shop.com and leads to 192.0.2.7."),
        ("https://shop.com@evil.com/", "shop.com", "A link shows shop.com and leads to evil.com."),
        ("ht\ntps:\\\\evil.com", "shop.com", "A link shows shop.com and leads to evil.com."),
        ("https://evil.com/", "repo.zip/a", "A link shows repo.zip and leads to evil.com."),
    ],
)
def test_a_link_whose_text_is_another_host(target: str, text: str, told: str) -> None:
    assert of(FROM, (target, text)) == ([("link", told)] if told else [])


def test_there_are_few_warnings_however_much_there_is() -> None:
    links = [(f"https://evil{number}.com/", "shop.com") for number in range(5000)]
    assert len(of(FROM, *links, *links)) == warnings.WARNINGS_LIMIT
    assert len(of("From: " + ", ".join(f"{'x' * 20}@a{n}.example" for n in range(5000)))) == 0


def test_each_is_told_once() -> None:
    assert len(of(FROM, *[("https://evil.com/", "shop.com")] * 3)) == 1


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=3),
)
def test_nothing_raises_and_all_is_printable(text: str, links: list[tuple[str, str]]) -> None:
    field = text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace").decode()
    for header in (f"From: {field}", f"{FROM}\nReply-To: {field}@x.{field}"):
        for kind, told in of(header, *links):
            assert WarningKind(kind)
            assert told.isprintable()


@given(st.text(max_size=300))
def test_any_domain_has_an_answer(domain: str) -> None:
    look_alike(domain)
    assert skeleton(skeleton(domain)) is not None
