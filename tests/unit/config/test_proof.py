"""What needs to know who sent a message, and whether anybody finds it out in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.config.proof import (
    proof_missing,
    proof_warnings,
    unproven_entries,
    unproven_people,
    unsealed,
)

NEVER = (
    'filters.senders.file: 1 of its entries, as "allow ann@a.example for * if proven", never '
    "count, since "
)


@pytest.mark.parametrize(
    ("chain", "more", "entry", "missing", "told"),
    [
        ('"auth", "senders"', "", "allow ann@a.example if proven", "", ""),
        ('"auth"', "", "", "", ""),
        ('"senders"', "", "allow ann@a.example", '"auth" is not in [chain] filters', ""),
        (
            '"senders"',
            "",
            "allow ann@a.example if proven",
            '"auth" is not in [chain] filters',
            NEVER + '"auth" is not in [chain] filters',
        ),
        (
            '"senders", "auth"',
            "",
            "allow ann@a.example if proven",
            '"auth" stands behind "senders" in [chain] filters',
            NEVER + '"auth" stands behind "senders" in [chain] filters',
        ),
        (
            '"senders", "auth"',
            "",
            "",
            '"auth" stands behind "senders" in [chain] filters',
            'chain.filters: "auth" stands behind "senders" in [chain] filters, so new entries of '
            '"senders" allow forged mail, too; put "auth" first',
        ),
        (
            '"auth", "senders"',
            "[filters.auth]\ndry_run = true\n",
            "allow ann@a.example if proven",
            "[filters.auth] has dry_run = true",
            NEVER + "[filters.auth] has dry_run = true",
        ),
    ],
)
def test_what_is_told(
    tmp_path: Path, chain: str, more: str, entry: str, missing: str, told: str
) -> None:
    (tmp_path / "list").write_text(entry + "\n")
    file = tmp_path / "filterd.toml"
    file.write_text(f'[chain]\nfilters = [{chain}]\n[filters.senders]\nfile = "list"\n{more}')
    settings = load(file)
    assert proof_missing(settings) == missing
    assert "".join(unproven_entries(settings)) == told


@pytest.mark.parametrize(
    ("chain", "more", "told"),
    [
        ('"auth", "known"', "", ""),
        ('"auth"', "[filters.known]", ""),
        ('"known"', "", '"auth" is not in [chain] filters'),
        ('"known"', "[filters.known]\nunproven_share = 0", ""),
        ('"known", "auth"', "", '"auth" stands behind "known" in [chain] filters'),
        ('"auth", "known"', "[filters.auth]\ndry_run = true", "[filters.auth] has dry_run = true"),
    ],
)
def test_points_for_known_senders_without_a_proof(
    tmp_path: Path, chain: str, more: str, told: str
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f"[chain]\nfilters = [{chain}]\n{more}\n")
    found = [
        text.partition(": ")[2].partition(", so mail")[0] for text in unproven_people(load(file))
    ]
    assert found == ([told] if told else [])


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ('"auth", "locallists"', ""),
        (
            '"locallists", "auth"',
            "filters.locallists.lists[0].proven: no entry ever counts, since "
            '"auth" stands behind "locallists" in [chain] filters',
        ),
    ],
)
def test_local_lists_that_demand_proof(tmp_path: Path, chain: str, told: str) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        f"[chain]\nfilters = [{chain}]\n[[filters.locallists.lists]]\n"
        'file = "x"\nabout = "sender"\nkind = "allow"\nproven = true\n'
    )
    assert "".join(unproven_entries(load(file))) == told


KEY = '[[filters.sign.keys]]\ndomain = "mx.example"\nselector = "arc"\nfile = "key"\n'


@pytest.mark.parametrize(
    ("chain", "more", "told"),
    [
        ('"auth", "sign"', "", ""),
        ('"sign", "auth"', "", ""),
        ('"auth"', "", ""),
        ('"sign"', "", 'nothing is sealed, since "auth" is not in [chain] filters'),
        (
            '"auth", "sign"',
            "[filters.auth]\ndry_run = true",
            "nothing is sealed, since [filters.auth] has dry_run = true",
        ),
        (
            '"auth", "sign"',
            "[filters.auth]\narc = false",
            "nothing is sealed, since [filters.auth] has arc = false",
        ),
        (
            '"auth", "sign"',
            "[filters.auth]\nauthentication_results = false",
            "seals say nothing of what was found, since [filters.auth] has "
            "authentication_results = false",
        ),
        (
            '"auth", "sign"',
            "[labels]\nremove_forged = false",
            "nothing is sealed, since labels.remove_forged is off",
        ),
    ],
)
def test_seals_without_results(tmp_path: Path, chain: str, more: str, told: str) -> None:
    file = tmp_path / "filterd.toml"
    text = f'[chain]\nfilters = [{chain}]\n[filters.sign]\narc_domain = "mx.example"\n{KEY}{more}\n'
    file.write_text(text)
    assert list(unsealed(load(file))) == ([f"filters.sign.arc_domain: {told}"] if told else [])
    file.write_text(text.replace('arc_domain = "mx.example"', ""))
    assert list(unsealed(load(file))) == []


SENDS = '[dmarc]\nsend = true\norg_name = "A Ltd"\nemail = "dmarc@a.example"\n'


@pytest.mark.parametrize(
    ("chain", "more", "told"),
    [
        ('"auth"', SENDS, []),
        ("", "", []),
        ("", SENDS, ['nothing is reported, since "auth" is not in [chain] filters']),
        (
            '"auth"',
            SENDS + "[filters.auth]\ndmarc = false\n",
            ["nothing is reported, since [filters.auth] has dmarc = false"],
        ),
        (
            '"auth"',
            SENDS + "[history]\nenabled = false\n",
            ["nothing is reported, since [history] enabled is false"],
        ),
        (
            '"auth"',
            SENDS + "[history]\nkeep_days = 1\n",
            ["history.keep_days is 1, so reports lack messages; set it to 2 or more"],
        ),
    ],
)
def test_reports_of_nothing(tmp_path: Path, chain: str, more: str, told: list[str]) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f"[chain]\nfilters = [{chain}]\n{more}")
    assert list(proof_warnings(load(file))) == [f"dmarc.send: {one}" for one in told]
