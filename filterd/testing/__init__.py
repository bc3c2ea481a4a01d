"""A test kit for filters: an SMTP session and a message, without a server.

    smtp = Smtp(Shouting(ShoutingSettings()))
    smtp.connect("198.51.100.7", "mail.a.example")
    smtp.helo("mail.a.example")
    smtp.sender("ann@a.example")
    assert smtp.recipient("joe@mx.example").code == 250
    report = smtp.message(b"Subject: HELLO\\r\\n\\r\\nhi\\r\\n")
    assert report.symbols == (Symbol("SUBJ_ALL_CAPS", 1.5, "HELLO"),)

The filters go through what the daemon has for them: stages, on_error, chain, policy, replies.
"""

from filterd.testing.smtp import Answer, Smtp

__all__ = ["Answer", "Smtp"]
