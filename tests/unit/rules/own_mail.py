"""For each rule of `own.cf`: a message that it is for, and an honest one that is much like it."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULTS = {
    "Received": "from mx.example.net (mx.example.net [192.0.2.7]) by here.example.org with ESMTP"
    " id 4aBcDe; Mon, 09 Nov 2026 10:00:00 +0000",
    "From": "Ada Byron <ada@example.net>",
    "To": "Bob <bob@example.org>",
    "Subject": "Minutes of Monday",
    "Date": "Mon, 09 Nov 2026 09:59:58 +0000",
    "Message-ID": "<20261109095958.GA1234@mx.example.net>",
}

TEXT = "Here are the minutes of our meeting on Monday. See you next week."


def mail(text: str = TEXT, *, html: bool = False, extra: str = "", **fields: str) -> bytes:
    """A message: its text, plain or HTML; fields in place of the usual ones, `_` for `-`, an empty
    value leaves one out; extra: further lines of the header."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    header = DEFAULTS | named
    kind = "text/html" if html else "text/plain"
    lines = [f"{name}: {value}" for name, value in header.items() if value]
    lines += [f"Content-Type: {kind}; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    lines += ["MIME-Version: 1.0", *extra.splitlines()]
    return ("\n".join(lines) + "\n\n" + text + "\n").encode("utf-8", "surrogateescape")


def page(body: str, **fields: str) -> bytes:
    """A message that is an HTML page."""
    return mail(f"<html><body>{body}</body></html>", html=True, **fields)


LONG = "<p>" + "We met in the small hall and talked about the garden. " * 20 + "</p>"
SMALL = '<p style="font-size:0px">otter</p>'
KAISER = "Der Kaiser\u200bschmarrn"

CASES: Mapping[str, tuple[bytes, bytes]] = {
    "FD_NAME_OTHER_ADDRESS": (
        mail(From='"service@bank.example" <x7@elsewhere.example>'),
        mail(From='"service@bank.example" <service@mail.bank.example>'),
    ),
    "FD_NAME_OF_BRAND": (
        mail(From="PayPal Service <info@elsewhere.example>"),
        mail(From="PayPal Service <service@intl.paypal.com>"),
    ),
    "FD_REPLY_ELSEWHERE": (
        mail(From="Director <office@company.example>", Reply_To="director77@gmail.com"),
        mail(From="Ann <ann@gmail.com>", Reply_To="ann.more@gmail.com"),
    ),
    "FD_TITLE_FREE": (
        mail(From="Barrister John Smith <john55@yahoo.com>"),
        mail(From="Dr. Ann Smith <ann@hospital.example>"),
    ),
    "FD_FROM_NO_DOMAIN": (mail(From="Nobody <nobody>"), mail(From="Nobody <nobody@example.net>")),
    "FD_FROM_PUNYCODE": (
        mail(From="Shop <info@xn--pple-43d.example>"),
        mail(From="Shop <info@apple-garden.example>"),
    ),
    "FD_FROM_DIGITS": (
        mail(From="Ann <user8837261@example.net>"),
        mail(From="Ann <ann1987@example.net>"),
    ),
    "FD_NAME_PILLS": (
        mail(From="Viagra Official Site <info@example.net>"),
        mail(From="Phil Myers <phil@example.net>"),
    ),
    "FD_FROM_FOUR_DIGITS": (
        page(LONG, From="Ann <opeyb8862@example.net>"),
        page(LONG, From="Ann <ann1987@example.net>"),
    ),
    "FD_TWO_FROM": (
        mail(extra="From: Eve <eve@example.com>"),
        mail(extra="Sender: eve@example.com"),
    ),
    "FD_TWO_SUBJECTS": (mail(extra="Subject: Another"), mail(extra="X-Subject: Another")),
    "FD_ID_NO_DOMAIN": (mail(Message_ID="<20261109095958>"), mail(Message_ID="<a.b.c@host>")),
    "FD_ID_IS_SHORT": (mail(Message_ID="<a@example.net>"), mail(Message_ID="<abcdef@example.net>")),
    "FD_ID_NO_BRACKETS": (
        mail(Message_ID="20261109095958.GA@example.net"),
        mail(Message_ID="<20261109095958.GA@example.net>"),
    ),
    "FD_ID_CAPITALS": (
        mail(Message_ID="<QWERTZUIOPASDFGHJKLYXC@example.net>"),
        mail(Message_ID="<CAFk7Xq0Wn3ZyZ9bcaQGmz8@mail.example.net>"),
    ),
    "FD_ID_HEX_GROUPS": (
        mail(Message_ID="<00a1c2d3e4f5$a1b2c3d4$0a0b0c0d@qwertz>"),
        mail(Message_ID="<00a1c2d3e4f5$a1b2c3d4$0a0b0c0d@pc7.example.net>"),
    ),
    "FD_NOT_OUTLOOK": (
        mail(X_Mailer="Microsoft Outlook Express 6.00.2600.0000"),
        mail(
            X_Mailer="Microsoft Outlook Express 6.00.2600.0000",
            Message_ID="<001a01c7a1b2$c3d4e5f6$0101a8c0@home>",
        ),
    ),
    "FD_DATE_ZONE": (
        mail(Date="Mon, 09 Nov 2026 09:59:58 -1900"),
        mail(Date="Mon, 09 Nov 2026 09:59:58 +1400"),
    ),
    "FD_DATE_OLD": (
        mail(Date="Thu, 01 Jan 1970 00:00:00 +0000"),
        mail(Date="Wed, 01 Jan 2003 00:00:00 +0000"),
    ),
    "FD_DATE_FUTURE": (
        mail(Date="Mon, 16 Nov 2026 09:59:58 +0000"),
        mail(Date="Mon, 09 Nov 2026 11:59:58 +0000"),
    ),
    "FD_DATE_FORM": (
        mail(Date="2026/11/09 09:59"),
        mail(Date="9 Nov 2026 9:59 GMT"),
    ),
    "FD_RE_TO_NOTHING": (
        mail(Subject="Re: your order"),
        mail(Subject="Re: your order", In_Reply_To="<1@example.org>"),
    ),
    "FD_TO_NOBODY": (mail(To="undisclosed-recipients:;"), mail(To="board@example.org")),
    "FD_SUBJECT_GAPS": (
        mail(Subject="Get your D.I.P.L.O.M.A. now"),
        mail(Subject="Offices in the U.S.A. and the U.K."),
    ),
    "FD_SUBJECT_TAIL": (
        mail(Subject="Lower your rates           xkqjz"),
        mail(Subject="Lower the rates in section 9"),
    ),
    "FD_SUBJECT_LOUD": (mail(Subject="Win $$$ today!!"), mail(Subject="We won!")),
    "FD_SUBJECT_DISCOUNT": (
        mail(Subject="Today 80% off"),
        mail(Subject="20% of the members voted"),
    ),
    "FD_SUBJECT_PILLS": (
        mail(Subject="Replica watches and V1agra"),
        mail(Subject="Watch the replicas of the ships"),
    ),
    "FD_SUBJECT_AD": (mail(Subject="ADV: cheap toner"), mail(Subject="Advice on toner")),
    "FD_SUBJECT_BARE_8BIT": (
        mail(Subject="\u0421\u0440\u043e\u0447\u043d\u043e"),
        mail(Subject="=?utf-8?b?0KHRgNC+0YfQvdC+?="),
    ),
    "FD_URI_BRAND_INSIDE": (
        mail("See http://www.paypal.com.secure-login.example.com/a"),
        mail("See https://www.amazon.com.au/a and https://www.paypal.com/us"),
    ),
    "FD_URI_LOOKALIKE": (
        mail("See https://www.paypa1.example.com/a"),
        mail("See https://www.paypal.com/paypa1"),
    ),
    "FD_URI_PUNYCODE": (
        mail("See https://xn--80ak6aa92e.com/"),
        mail("See https://example.com/xn--80ak6aa92e"),
    ),
    "FD_URI_NUMBER": (
        mail("See http://192.0.2.55/login"),
        mail("See http://example.com/192.0.2.55"),
    ),
    "FD_URI_USER": (
        mail("See http://www.bank.example@192.0.2.9/x"),
        mail("See http://medium.example/@ann/post"),
    ),
    "FD_URI_PORT": (
        mail("See http://example.com:4931/x"),
        mail("See http://example.com:8080/x"),
    ),
    "FD_URI_ESCAPED": (
        page('<a href="http://%77%77%77.example.com/x">here</a>' + LONG),
        page('<a href="http://www.example.com/%77%77">here</a>' + LONG),
    ),
    "FD_LOGIN_ON_FREE_HOST": (
        mail("Please verify your account at https://mailbox-77.weebly.com/"),
        mail("Our club's page has moved to https://garden-club.weebly.com/"),
    ),
    "FD_LINK_SAYS_OTHER": (
        page('<a href="http://x7.elsewhere.example/a">https://www.bank.example/login</a>' + LONG),
        page('<a href="https://www.bank.example/a?b">https://bank.example/</a>' + LONG),
    ),
    "FD_TEXT_NO_SIZE": (
        page(LONG + SMALL * 4),
        page(LONG + SMALL),
    ),
    "FD_WHITE_ON_WHITE": (
        page('<font color="#ffffff">otter beaver mink</font>' + LONG),
        page(
            '<table><tr><td bgcolor="#003366"><font color="#ffffff">The garden club</font></td>'
            "</tr></table>" + LONG
        ),
    ),
    "FD_ZERO_WIDTH_IN_WORDS": (
        mail("Your pass\u200bword and acc\u200bount are to exp\u200bire."),
        mail(f"{KAISER} was good. \u200bSo was the tea."),
    ),
    "FD_MIXED_SCRIPTS": (
        mail("Your p\u0430ssword, your b\u0430nk, your m\u0430ilbox."),
        mail("\u041f\u0440\u0438\u0432\u0435\u0442, Ann! \u041a\u0430\u043a?"),
    ),
    "FD_COMMENT_IN_WORD": (
        page("mort<!-- otter -->gage" + LONG),
        page("mortgage <!-- otter --> rates" + LONG),
    ),
    "FD_ENTITIES": (
        page("".join(f"&#{ord(letter)};" for letter in "confirmyourpassword") + LONG),
        page("&#8222;Garten&#8220; &#228;&#246;&#252;&#223;" + LONG),
    ),
    "FD_SCRIPT_WRITES": (
        page("<script>document.write(unescape('%3Cp%3E'))</script>" + LONG),
        page('<script type="application/ld+json">{"name": "order"}</script>' + LONG),
    ),
    "FD_FORM_PASSWORD": (
        page('<form action="http://x.example/"><input type="password" name="p"></form>' + LONG),
        page('<form action="http://x.example/"><input type="text" name="q"></form>' + LONG),
    ),
    "FD_FORM": (
        page('<form action="http://x.example/"><input name="q"></form>' + LONG),
        page("<p>Please fill in the form and send it.</p>" + LONG),
    ),
    "FD_ONE_PICTURE": (
        page('<a href="http://x.example/"><img src="http://x.example/a.gif"></a>'),
        page('<a href="http://x.example/"><img src="http://x.example/a.gif"></a>' + LONG),
    ),
    "FD_HTML_ONLY": (
        page(LONG),
        page(LONG, List_Unsubscribe="<mailto:leave@example.net>"),
    ),
    "FD_ADVANCE_FEE": (
        mail(
            "Dear friend, this business proposal is strictly confidential. I was the bank manager "
            "of the late president; US$ 25 million can be released, and you as next of kin are to "
            "transfer the funds out of Lagos."
        ),
        mail("Dear friend, the transfer of funds for the garden, 25 dollars, is done."),
    ),
    "FD_ADVANCE_FEE_LIKELY": (
        mail("Dear friend, I am Mrs. Ann Smith, a widow with a heart for you."),
        mail("Dear friend, the widow of the late chairman thanks you all."),
    ),
    "FD_LOTTERY": (
        mail("You have won the lottery: USD 2 million. Your winning number is 7."),
        mail("The school's lottery raised 200 dollars, and Ann got the prize."),
    ),
    "FD_ACCOUNT_THREAT": (
        mail(
            "We have seen unusual activity. Your account will be suspended. Please verify your "
            "account within 24 hours."
        ),
        mail("Thank you. Your account is open; you need not confirm anything."),
    ),
    "FD_EXTORTION": (
        mail(
            "I have recorded you with your webcam. Pay to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT "
            "and nobody sees it."
        ),
        mail("The webcam of the zoo is on again; the beavers are fine."),
    ),
    "FD_PILLS": (
        mail("V1agra and Cialis from an online pharmacy"),
        mail("A specialist looked at the pharmacy's social plan"),
    ),
    "FD_ENLARGE": (
        mail("Gain 3 inches in length"),
        mail("The table is 30 inches long; we could add a leaf"),
    ),
    "FD_SEX": (mail("hottest girls, hardcore, free porn"), mail("girls and boys of the choir")),
    "FD_MORTGAGE": (
        mail("Lowest rates! Refinance your home, bad credit is no problem"),
        mail("The rate of the change is low; credit goes to Ann"),
    ),
    "FD_EARN": (
        mail("Work from home and be your own boss, earn $5,000 per week from home"),
        mail("I work from the office in the morning and earn praise"),
    ),
    "FD_CASINO": (
        mail("Online casino, welcome bonus and free spins"),
        mail("The film is set in a casino"),
    ),
    "FD_STOCK": (
        mail("Stock alert: strong buy, trading symbol XYZQ"),
        mail("The shop has toner in stock again"),
    ),
    "FD_LAW": (
        mail("This mail is sent under Bill S. 1618 Title III, passed by the 105th U.S. Congress"),
        mail("Section 3 of the bylaws says who may vote"),
    ),
    "FD_NOT_SPAM": (
        mail("This is not spam. This is a one-time mailing."),
        mail("You received this message because you are in the choir."),
    ),
    "FD_REMOVE": (
        mail("To be removed from our mailing list, click here to be removed"),
        mail("Please remove the chairs from the hall"),
    ),
    "FD_CLICK": (mail("Click here for more"), mail("The link to the map is below")),
    "FD_FREE": (
        mail("Absolutely free, no obligation, money-back guarantee"),
        mail("Are you free on Monday?"),
    ),
    "FD_ACT_NOW": (
        mail("Order now, this is a limited time offer, while supplies last"),
        mail("The order of the day is as follows"),
    ),
    "FD_BULK_TOOLS": (
        mail("Bulk e-mail: 20 million addresses, targeted leads"),
        mail("My e-mail address has changed"),
    ),
    "FD_SOFTWARE": (
        mail("OEM software, replica watches, university diplomas"),
        mail("The watch is from my grandfather"),
    ),
}
