"""A program that speaks LMTP on its standard input and output, and keeps what it hears.

It is written where a test wants it. Recipients: `no…` is refused at once, `full…` put off and
`bad…` refused after the message, others are taken.
"""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """\
#!/bin/sh
# $1: the file for what was heard
say() { printf '%s\\r\\n' "$1"; }
say '220 box LMTP ready'
taken=
while IFS= read -r line; do
    printf '%s\\n' "$line" >> "$1"
    case $line in
    LHLO*|EHLO*) say '250-box'; say '250-ENHANCEDSTATUSCODES'; say '250 8BITMIME' ;;
    RCPT*'<no'*) say '550 5.1.1 not here' ;;
    RCPT*) taken="$taken ${line#*<}"; say '250 2.1.5 ok' ;;
    DATA*) say '354 go on'
        while IFS= read -r line; do
            printf '%s\\n' "$line" >> "$1"
            case $line in .?) break ;; esac
        done
        for one in $taken; do
            case $one in
            full*) say '452 4.2.2 full' ;;
            bad*) say '554 5.6.0 not this' ;;
            *) say '250 2.0.0 stored' ;;
            esac
        done ;;
    QUIT*) say '221 bye'; exit ;;
    *) say '250 2.0.0 ok' ;;
    esac
done
"""


def lmtp_program(folder: Path) -> Path:
    """Write the program. Returns its path."""
    path = folder / "lmtp"
    path.write_text(_SCRIPT)
    path.chmod(0o755)
    return path
