"""filterd: a mail filter for sendmail and Postfix."""

__version__ = "0.1.0"
