"""sendmail's configuration language: the text of a sendmail.cf in, its values out (`SendmailCf`).

No I/O: the caller passes a function that reads a file which the configuration names. What an MTA
does with the values is in `sendmail`; the engine of rewriting rules and maps belongs here.
"""
