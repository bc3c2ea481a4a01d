"""`if`, `ifplugin`, `else`: which lines count."""

from __future__ import annotations

import pytest

from filterd.rules.conf.read import read

PLUGIN = "Mail::SpamAssassin::Plugin::"

CONDITIONS = {
    "if (version >= 4.000000)": True,
    "if (version >= 4.000003)": False,
    "if !((version >= 4.000000))": False,
    "if version == 4.000002 # now": True,
    "if perl_version >= 5.010000": True,
    "if (local_tests_only)": True,
    f"if plugin({PLUGIN}MIMEHeader)": True,
    f"if plugin ( {PLUGIN}MIMEHeader )": True,
    f"if plugin({PLUGIN}Dmarc)": True,
    f"if plugin({PLUGIN}TextCat)": False,
    f"if plugin({PLUGIN}RaciallyCharged)": True,
    f"ifplugin {PLUGIN}MIMEHeader": True,
    f"ifplugin {PLUGIN}TextCat": False,
    "ifplugin My::Own": False,
    "if can(Mail::SpamAssassin::Conf::feature_bug6558_free)": True,
    "if can(Mail::SpamAssassin::Conf::feature_of_tomorrow)": False,
    "if can(Mail::SpamAssassin::Conf::compat_welcomelist_blocklist)": False,
    "enable_compat welcomelist_blocklist\n"
    "if can(Mail::SpamAssassin::Conf::compat_welcomelist_blocklist)": True,
    f"if has({PLUGIN}URIDetail::has_uridetail_negate)": True,
    f"if has({PLUGIN}HeaderEval::check_illegal_chars)": True,
    f"if can({PLUGIN}HeaderEval::check_illegal_chars)": False,
    f"if can({PLUGIN}ASN::has_check_asn)": False,
    f"if can({PLUGIN}SPF::has_check_for_spf_errors) && !plugin({PLUGIN}TextCat)": True,
    "if 1 - 1": False,
    "if -1": True,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition(condition: str) -> None:
    text = f"{condition}\nbody YES /a/\nelse\nbody NO /a/\nendif\nbody ALWAYS /a/\n"
    found = read([("x.cf", text.encode())])
    assert found.problems == ()
    assert set(found.rules) == {"YES" if CONDITIONS[condition] else "NO", "ALWAYS"}


def test_they_nest() -> None:
    text = b"""
        if 0
            if 1
                body A /a/
            else
                body B /a/
            endif
            nonsense
        else
            if 0
                body C /a/
            else
                body D /a/
            endif
            body E /a/
        endif
    """
    found = read([("x.cf", text)])
    assert found.problems == ()
    assert set(found.rules) == {"D", "E"}


def test_a_condition_with_a_mistake_does_not_hold() -> None:
    text = b"if (version\nbody A /a/\nelse\nbody B /b/\nendif\nbody C /c/"
    found = read([("x.cf", text)])
    assert [str(one) for one in found.problems] == ["x.cf:1: expected ) at the end"]
    assert set(found.rules) == {"B", "C"}


def test_what_one_file_leaves_open_does_not_matter_to_the_next() -> None:
    found = read([("a.cf", b"if 0\nbody A /a/"), ("b.cf", b"body B /b/")])
    assert [str(one) for one in found.problems] == ["a.cf:1: 'if' without an 'endif' in this file"]
    assert set(found.rules) == {"B"}


def test_an_included_file_counts_as_its_line_does() -> None:
    def include(name: str, file: str) -> tuple[str, bytes]:
        return name, f"body {name} /a/\nif 1".encode()

    text = b"if 0\ninclude A\nelse\ninclude B\nendif\nbody C /c/"
    found = read([("x.cf", text)], include=include)
    assert [str(one) for one in found.problems] == ["B:2: 'if' without an 'endif' in this file"]
    assert set(found.rules) == {"B", "C"}


def test_other_versions_leave_the_file_out() -> None:
    text = b"body A /a/\nrequire_version 3.004006\nbody B /b/"
    found = read([("a.cf", text), ("b.cf", b"require_version 4.000001\nbody C /c/")])
    assert "requires version 3.004006" in found.problems[0].text
    assert set(found.rules) == {"A", "C"}
    same = read([("a.cf", b"require_version @@VERSION@@\nbody A /a/")], version="4.000001")
    assert set(same.rules) == {"A"}


def test_plugins_that_files_load_are_the_loaded_ones() -> None:
    rule = f"ifplugin {PLUGIN}TextCat\nbody A /a/\nendif\nifplugin {PLUGIN}SPF\nbody B /b/\nendif"
    load = ("x.pre", f"loadplugin {PLUGIN}TextCat".encode())
    assert set(read([("x.cf", rule.encode())]).rules) == {"B"}
    assert set(read([load, ("x.cf", rule.encode())]).rules) == {"A"}
    asked = read([("x.cf", rule.encode())], plugins=[f"{PLUGIN}TextCat", f"{PLUGIN}SPF"])
    assert set(asked.rules) == {"A", "B"}
    tried = read([("x.cf", f"tryplugin My::Plugin\ntryplugin {PLUGIN}SPF\n{rule}".encode())])
    assert (tried.problems, set(tried.rules)) == ((), {"B"})
