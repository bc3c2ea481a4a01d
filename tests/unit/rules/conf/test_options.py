"""Options: what is kept for eval tests, under which name, and what takes others back."""

from __future__ import annotations

import pytest

from filterd.rules.conf.read import read

KEPT: dict[str, dict[str, list[str]]] = {
    "trusted_networks 10/8 # ours": {"trusted_networks": ["10/8"]},
    "Whitelist-From *@a.example": {"welcomelist_from": ["*@a.example"]},
    "trusted_networks 10/8\nclear_trusted_networks\ntrusted_networks 11/8": {
        "trusted_networks": ["11/8"]
    },
    "whitelist_from a@x b@x\nunwhitelist_from A@x\nwelcomelist_from c@x": {
        "welcomelist_from": ["b@x", "c@x"]
    },
    "welcomelist_from a@x\nunwelcomelist_from a@x\nwelcomelist_from a@x": {
        "welcomelist_from": ["a@x"]
    },
    "whitelist_from_rcvd a@x x.example\nwhitelist_from_rcvd b@x x.example\n"
    "unwhitelist_from_rcvd a@x": {"welcomelist_from_rcvd": ["b@x x.example"]},
    "def_whitelist_auth a@x b@x\nunwhitelist_auth b@x": {"def_welcomelist_auth": ["a@x"]},
    "whitelist_from_dkim a@x y.example\nwhitelist_from_dkim a@x\n"
    "unwhitelist_from_dkim a@x  y.example": {"welcomelist_from_dkim": ["a@x"]},
    "blacklist_uri_host a.example\nwhitelist_uri_host b.example": {
        "enlist_uri_host": ["(BLOCK) a.example", "(WELCOME) b.example"]
    },
    "enlist_uri_host (L) a b\nenlist_uri_host (M) a c\ndelist_uri_host (L) a": {
        "enlist_uri_host": ["(L) b", "(M) a c"]
    },
    "enlist_uri_host (L) a b\nenlist_uri_host (M) a c\ndelist_uri_host a": {
        "enlist_uri_host": ["(L) b", "(M) c"]
    },
    "uridnsbl_skip_domain a b\nclear_uridnsbl_skip_domain a": {"uridnsbl_skip_domain": ["b"]},
    "uridnsbl_skip_domain a b\nclear_uridnsbl_skip_domain": {},
    "util_rb_tld com\nutil_rb_2tld co.uk\nclear_util_rb\nutil_rb_tld net": {"util_rb_tld": ["net"]},
    "freemail_domains a.example b.example": {"freemail_domains": ["a.example b.example"]},
    "freemail_whitelist a@x": {"freemail_welcomelist": ["a@x"]},
    "hashbl_acl_banks a.example": {"hashbl_acl_banks": ["a.example"]},
    "redirector_pattern m{x=(.*)}i": {"redirector_pattern": ["m{x=(.*)}i"]},
}


@pytest.mark.parametrize("text", KEPT)
def test_what_is_left(text: str) -> None:
    found = read([("x.cf", text.encode())])
    assert found.problems == ()
    assert {
        name: [one.value for one in options] for name, options in found.options.items()
    } == KEPT[text]


def test_where_an_option_stands() -> None:
    found = read([("a.cf", b"\nok_locales en"), ("b.cf", b"ok_locales de")])
    assert [str(one.origin) for one in found.options["ok_locales"]] == ["a.cf:2", "b.cf:1"]


def test_options_that_are_not_ours_are_counted() -> None:
    text = b"report_safe 0\nreport a\nreport b\nbayes_stopword_en x\nrequired_hits 5\nuse_pyzor 1"
    found = read([("x.cf", text)])
    assert (found.problems, dict(found.options)) == ((), {})
    assert found.ignored == {
        "report_safe": 1,
        "report": 2,
        "bayes_stopword_en": 1,
        "required_score": 1,
        "use_pyzor": 1,
    }


def test_taking_much_back_takes_no_longer_than_saying_it() -> None:
    lines = [f"welcomelist_from {one}@x" for one in range(5_000)]
    lines += [f"unwelcomelist_from {one}@x" for one in range(5_000)]
    found = read([("x.cf", "\n".join(lines).encode())])
    assert (found.problems, dict(found.options)) == ((), {})
