"""Answers to the Perl modules in `perl/`: one line of JSON a question, one line an answer.

Octets are base64 in both. A question names a `function` of ANSWERS and its arguments.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bench.rules_suite.session import Sources, compiled, outcome, report, view_of
from filterd.rules.conf.regexp import always_matches, pattern_of
from filterd.rules.conf.rule import RulePattern
from filterd.rules.evals.dates import parse_date
from filterd.rules.patterns import compile_pattern
from filterd.rules.view.domains import Domains
from filterd.rules.view.html import read_html
from filterd.rules.view.html_links import absolute
from filterd.rules.view.html_style import color
from filterd.rules.view.parts import parts_of
from filterd.rules.view.received import Skipped, read
from filterd.rules.view.uri_forms import forms_of
from filterd.rules.view.uri_settings import uri_settings
from filterd.rules.view.view import View

Arguments = Mapping[str, Any]


def _decoded(value: Any) -> Any:
    if isinstance(value, str):
        return base64.b64decode(value)
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if isinstance(value, dict):
        return {key: _decoded(one) for key, one in value.items()}
    return value


def _encoded(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return _encoded(str(int(value) if isinstance(value, bool) else value))
    if isinstance(value, str):
        return _encoded(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [_encoded(one) for one in value]
    if isinstance(value, dict):
        return {key: _encoded(one) for key, one in value.items()}
    return value


def sources(arguments: Arguments) -> Sources:
    """Where the rules are that an object was made with."""
    values = {key: value.decode() for key, value in arguments["rules"].items() if value is not None}
    return Sources(
        rules=values.get("rules_filename", ""),
        site=values.get("site_rules_filename", ""),
        preferences=values.get("userprefs_filename", ""),
        text=values.get("post_config_text", "").encode(),
        alone=values.get("config_text", "").encode(),
        is_local=values.get("local_tests_only", "0") not in ("", "0"),
    )


def _view(arguments: Arguments) -> View:
    return view_of(sources(arguments), arguments["message"])


def _check(arguments: Arguments) -> Any:
    found = outcome(sources(arguments), arguments["message"])
    return {"score": round(found.score, 3), "names": list(found.hits)}


def _lint(arguments: Arguments) -> int:
    return len(compiled(sources(arguments)).problems)


def _report(arguments: Arguments) -> bytes:
    found = outcome(sources(arguments), arguments["message"])
    return report(found, arguments["message"])


def _get(arguments: Arguments) -> list[bytes]:
    field, *modifiers = arguments["name"].decode().split(":")
    return list(_view(arguments).values(field, *modifiers))


def _header(arguments: Arguments) -> bytes | None:
    values = parts_of(arguments["message"]).all(arguments["name"].lower())
    return values[-1] + b"\n" if values else None


def _html(arguments: Arguments) -> Mapping[str, Any]:
    info, pieces = read_html(arguments["text"].decode("latin-1"), is_wide=False)
    return {
        "visible": "".join(text for text, hidden in pieces if not hidden),
        "invisible": "".join(text for text, hidden in pieces if hidden),
        "font_invalid_color": int(bool(info.numbers.get("font_invalid_color", 0))),
    }


def _regexp(arguments: Arguments) -> Mapping[str, Any]:
    text = arguments["text"]
    try:
        is_delimited = arguments["delimited"] == b"1"
        found = pattern_of(text) if is_delimited else RulePattern(text.decode("latin-1"))
        compile_pattern(found)
        if arguments["strict"] == b"1" and (why := always_matches(found.source)):
            return {"regexp": None, "error": why}
    except ValueError as error:
        return {"regexp": None, "error": str(error)}
    return {"regexp": str(found), "error": None}


def _init(arguments: Arguments) -> Mapping[str, str]:
    options = compiled(sources(arguments)).rule_set.options
    return {name: lines[-1].value for name, lines in options.items()}


def _scores(arguments: Arguments) -> list[Mapping[str, float]]:
    """The points of all rules, by score set."""
    rules = compiled(sources(arguments)).rule_set.rules
    return [{name: rule.scores[one] for name, rule in rules.items()} for one in range(4)]


def _rendered(arguments: Arguments) -> list[str]:
    """The text of each part."""
    view = _view(arguments)
    found = (view.texts.of(part) for part in view.parts.leaves())
    return ["" if one is None else one.text for one in found]


def _received(arguments: Arguments) -> str:
    found = read(arguments["line"].decode("latin-1"))
    if found is None:
        return "unreadable"
    return "" if isinstance(found, Skipped) else found.text


def _domain(arguments: Arguments) -> str | None:
    options = compiled(sources(arguments)).rule_set.options
    return Domains.of(options).of_uri(arguments["uri"].decode("latin-1"))[0] or None


def _registered(arguments: Arguments) -> str:
    options = compiled(sources(arguments)).rule_set.options
    return Domains.of(options).registered(arguments["host"].decode("latin-1"))


def _canonical(arguments: Arguments) -> list[bytes]:
    how = uri_settings(compiled(sources(arguments)).rule_set.options)
    forms = [form for uri in arguments["uris"] for form in forms_of(uri, how)]
    return list(dict.fromkeys(forms))


def _date(arguments: Arguments) -> int | None:
    return parse_date(arguments["text"].decode("latin-1"))


def _summary(arguments: Arguments) -> list[str]:
    root = parts_of(arguments["message"].replace(b"\r\n", b"\n"))
    below = [",".join(part.type for part in child.walk()) for child in root.children or ()]
    return [root.type, *below]


def _leaves(arguments: Arguments) -> list[Mapping[str, Any]]:
    return [
        {"type": part.type, "name": part.name, "content": part.content}
        for part in parts_of(arguments["message"].replace(b"\r\n", b"\n")).leaves()
    ]


ANSWERS: Mapping[str, Callable[[Arguments], Any]] = {
    "init": _init,
    "scores": _scores,
    "rendered": _rendered,
    "received": _received,
    "domain": _domain,
    "registered": _registered,
    "canonical": _canonical,
    "date": _date,
    "lint": _lint,
    "check": _check,
    "report": _report,
    "get": _get,
    "uris": lambda arguments: list(_view(arguments).uris),
    "body": lambda arguments: list(_view(arguments).body),
    "rawbody": lambda arguments: list(_view(arguments).rawbody),
    "pristine_body": lambda arguments: parts_of(arguments["message"]).body_octets,
    "header": _header,
    "summary": _summary,
    "leaves": _leaves,
    "html": _html,
    "color": lambda arguments: color(arguments["text"].decode("latin-1")),
    "target": lambda arguments: absolute(
        arguments["base"].decode("latin-1"), arguments["uri"].decode("latin-1")
    ),
    "regexp": _regexp,
}
"""What can be asked for."""


def answer(line: str) -> str:
    """The line that answers a line."""
    question = json.loads(line)
    name = question.pop("function")
    if name not in ANSWERS:
        return json.dumps({"error": f"filterd has no {name!r}"})
    return json.dumps({"value": _encoded(ANSWERS[name](_decoded(question)))})


def main() -> int:
    """Answer until the end of the input."""
    for line in sys.stdin:
        print(answer(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
