"""sendmail's configuration language: a sendmail.cf as text in, as values out (`SendmailCf`).

No I/O here: who parses hands in how a file is read that the configuration names. What an MTA makes
of the values is in `sendmail`; rules and maps belong here.
"""
