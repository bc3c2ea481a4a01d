"""Lines that cannot be used: each is named with its reason, and nothing else is lost."""

from __future__ import annotations

import pytest

from filterd.rules.conf.lines import FILE_OCTETS, LINE_OCTETS
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import RulePattern, RuleSet

MISTAKES = {
    "body A spam": "no delimiters",
    "body A /a/b/": "delimiter '/' stands in the pattern",
    "body A /a/g": "flag 'g'",
    "body A /a/e": "does not end with",
    "body A /(?{ 1 })/": "Perl code",
    "body A m\\a\\": "backslash cannot be the delimiter",
    "body A": "nothing stands behind the name",
    "body": "name of a rule",
    "body 1A /a/": "name of a rule",
    "body A-B /a/": "name of a rule",
    f"body {'A' * 101} /a/": "up to 100",
    "body A eval:html_eval": "expected eval:function(arguments)",
    "body A eval:html_eval(a b)": "in quotation marks",
    "body A eval:html_eval(,'a')": "in quotation marks",
    "body A eval:subject_is_all_caps()": "test for 'header'",
    "uri A eval:x()": "no delimiters",
    "header A Subject": "expected Field =~",
    "header A Subject ~= /a/": "expected Field =~",
    "header A From:nobody =~ /a/": "modifier :nobody",
    "header A From:addr:raw:name =~ /a/": "expected Field =~",
    "header A exists:X Y": "expected exists:Field",
    "header A Subject =~ /a/ [if-unset:x]": "does not end with",
    "meta A B &&": "at the end",
    "meta A (B": "expected )",
    "meta A B C": "'C' does not belong there",
    "meta A B +1": "'+1' is not a number",
    "meta A B / C": "division by zero",
    "meta A B ** 2": "only rules, numbers and operators",
    "meta A B; C": "only rules, numbers and operators",
    "meta A B .. C": "'..' is not a number",
    "meta A " + "(" * 200 + "B" + ")" * 200: "nest more than",
    "meta A A || B": "depend on each other: A → A",
    "mimeheader A Content-Type:addr =~ /a/": "expected Field =~",
    "uri_detail A text": "expected conditions",
    "uri_detail A color =~ /a/": "'color' of uri_detail",
    "askdns A x NOSUCH": "'NOSUCH' is not a type",
    "score A": "1 or 4 numbers",
    "score A 1 2": "1 or 4 numbers",
    "score A x": "a score is a number",
    "score A (1)": "no line before",
    "describe A": "a name and more",
    "tflags A": "a name and more",
    "priority A x": "a rule and a number",
    "shortcircuit A ham": "needs the plugin",
    "ok_languages en": "needs the plugin",
    "nothing_of_ours 1": "'nothing_of_ours' is unknown",
    "lang de": "'lang' is unknown",
    "required_score": "without a value",
    "required_score x": "expects a number",
    "report_safe 3": "expects 0, 1 or 2",
    "clear_headers x": "expects nothing behind it",
    "bayes_auto_learn 2": "expects 0 or 1",
    "time_limit 5x": "expects a duration",
    "util_rb_2tld uk": "endings with one dot",
    "whitelist_from_rcvd a@b.example": "expects ADDRESS RELAY",
    "redirector_pattern x": "no delimiters",
    "loadplugin": "name of a plugin",
    "loadplugin My::Plugin my.pm": "not one of SpamAssassin's own",
    "enable_compat a b": "one word",
    "include": "without the name of a file",
    "include other.cf": "not possible here",
    "endif": "without an 'if'",
    "else": "without an 'if'",
    "if (1)": "without an 'endif'",
    "if (\nendif": "at the end",
    "if x\nendif": "expected plugin(...)",
    "if can(x)\nendif": "Module::function",
    "ifplugin\nendif": "without a condition",
    "if (1)\nelse\nelse\nendif": "a second 'else'",
    "if (1)\nendif now": "stands alone",
    "require_version 3.0": "requires version 3.0",
    "require_version": "without a version",
    "body A /\0/": "contains NUL",
    f"body A /{'a' * LINE_OCTETS}/": "expected up to",
}


def reading(text: str | bytes) -> RuleSet:
    return read([("x.cf", text.encode() if isinstance(text, str) else text)])


@pytest.mark.parametrize("line", MISTAKES, ids=lambda line: repr(line)[:60])
def test_a_mistake_is_named_and_the_rest_is_read(line: str) -> None:
    found = reading(f"body BEFORE /a/\n{line}\n")
    texts = [str(problem) for problem in found.problems]
    assert any(MISTAKES[line] in text for text in texts), texts
    assert all(text.startswith("x.cf:") and len(text) < 500 for text in texts)
    assert set(found.rules) == {"BEFORE"}


def test_one_wrong_line_spoils_nothing_behind_it() -> None:
    found = reading("body A /a/\nbody A spam\nbody B /b/\nscore B x\nscore B 3\n")
    assert [problem.origin.line for problem in found.problems] == [2, 4]
    assert found.rules["A"].origin.line == 1
    assert found.rules["B"].scores == (3, 3, 3, 3)


def test_a_pattern_that_cannot_be_compiled_is_left_out() -> None:
    def wrong(pattern: RulePattern) -> str:
        return "bad" if "(" in pattern.source else ""

    text = b"""body A /(/
        body B /b/
        replace_tag T (
        replace_rules B C
        body C /<T>/
        uri_detail D text =~ /(/"""
    found = read([("x.cf", text)], pattern_error=wrong)
    assert [str(one) for one in found.problems] == [
        "x.cf:1: A: bad: (",
        "x.cf:6: D: bad: (",
        "x.cf:5: C: with text for its tags: bad; its tags stay as they are",
    ]
    assert set(found.rules) == {"B", "C"}


def test_octets_that_are_not_text() -> None:
    found = reading(
        b"\xef\xbb\xbfbody A /\xff/\r\ndescribe A \xe4\r\nlang en describe A \xc3\xa4\n"
    )
    assert found.problems == ()
    assert found.rules["A"].description == "ä"
    utf16 = reading("body A /a/".encode("utf-16"))
    assert [str(one) for one in utf16.problems] == [
        "x.cf: the file is UTF-16, expected UTF-8: it is left out"
    ]


@pytest.mark.slow
def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.rules.conf.read.RULES", 20)
    many = reading("".join(f"body R{one} /a/\n" for one in range(22)))
    assert len(many.rules) == 20
    assert [problem.origin.line for problem in many.problems] == [21, 22]

    monkeypatch.setattr("filterd.rules.conf.read.PROBLEMS", 10)
    wrong = reading("body\n" * 15)
    assert len(wrong.problems) == 11
    assert wrong.problems[-1].text == "5 more lines cannot be used"

    large = reading(b"\n" * (FILE_OCTETS + 1))
    assert "the file is left out" in large.problems[0].text


def test_files_that_include_each_other() -> None:
    texts = {"a": b"include b\nbody A /a/", "b": b"include a\nbody B /b/"}
    seen = set()

    def include(name: str, file: str) -> tuple[str, bytes] | None:
        if name in seen:
            return None
        seen.add(name)
        return name, texts[name]

    def always(name: str, file: str) -> tuple[str, bytes]:
        return name, texts[name]

    assert set(read([("a", texts["a"])], include=include).rules) == {"A", "B"}
    found = read([("a", texts["a"])], include=always)
    assert set(found.rules) == {"A", "B"}
    assert "include each other" in found.problems[0].text
