"""Perl itself, asked what a pattern matches. It is a part of every Debian (perl-base)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

_PROGRAM = r"""
$| = 1; binmode STDIN; binmode STDOUT;
while (<STDIN>) {
  chomp; my ($pattern, $subject) = map { pack "H*", $_ } split /,/, $_, -1;
  local $SIG{__WARN__} = sub { };
  my $compiled = eval { qr/$pattern/aa };
  if (!defined $compiled) { print "error\n"; next }
  my @all; my $count = 0;
  if ($subject =~ $compiled) { @all = map { defined $-[$_] ? "$-[$_]-$+[$_]" : "-" } 0 .. $#+ }
  pos($subject) = 0;
  while ($subject =~ /$compiled/g) { last if ++$count >= 1000 }
  print join(" ", $count, @all), "\n";
}
"""


class Perl:
    """A Perl that compiles patterns as SpamAssassin does (`qr/.../aa`)."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["perl", "-e", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, pattern: str, subject: bytes) -> tuple[int, list[tuple[int, int] | None]] | None:
        """How often the pattern matches, and the groups of the first match (the whole one first);
        None for a pattern that Perl does not accept."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{pattern.encode('latin-1').hex()},{subject.hex()}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if answer == ["error"]:
            return None
        return int(answer[0]), [_span(text) for text in answer[1:]]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def _span(text: str) -> tuple[int, int] | None:
    if text == "-":
        return None
    start, _, end = text.partition("-")
    return int(start), int(end)


def without_trailing(groups: Sequence[object]) -> list[object]:
    """Groups as Perl gives them: none behind the last that took part."""
    found = list(groups)
    while found and found[-1] is None:
        found.pop()
    return found
