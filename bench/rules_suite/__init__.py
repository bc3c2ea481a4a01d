"""SpamAssassin's own tests, with filterd in its place.

    python -m bench.rules_suite FOLDER [NAME ...]

FOLDER is a checkout of SpamAssassin (branch `trunk` or 4.0): its folders `t` and `rules` are used.
NAME is a test without `.t`; without one, all of TESTS. Each test is SpamAssassin's own Perl script,
unchanged: in place of the program `spamassassin` it calls `bench.rules_suite.program`, in place of
SpamAssassin's Perl modules it loads those of `perl/`, which ask `bench.rules_suite.answers`. Prints
how many checks of each test pass, and which do not.
"""
