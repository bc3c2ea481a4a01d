"""A user chooses how strict the filter is: within what the admin allows, for the own addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.web.app import create_app
from tests.helpers.site import Site, text_of, with_users

pytestmark = pytest.mark.slow


def choosing(folder: Path, settings: str = "", more: str = "") -> Site:
    """A site with the filter in its chain; eva is logged in."""
    site = with_users(folder, more=more)
    file = folder / "filterd.toml"
    text = file.read_text().replace("filters = [", 'filters = ["strictness", ', 1)
    file.write_text(text + f'[filters.strictness]\nfile = "strictness.list"\n{settings}\n')
    site.state.close()
    return with_config(site, file)


def with_config(site: Site, file: Path) -> Site:

    site.app = create_app(load(file))
    site.state = site.app.state.filterd
    site.browser = site.another()
    site.log_in("eva")
    return site


def chosen(site: Site) -> list[str]:
    """The steps that the page offers, the chosen one with a star."""
    form = site.get("/my").text.partition('id="strictness"')[2].partition("</form>")[0]
    inputs = [one.partition(">")[0] for one in form.split('<input type="radio" ')[1:]]
    return [
        one.partition('value="')[2].partition('"')[0] + ("*" if " checked" in one else "")
        for one in inputs
    ]


def test_a_choice_counts_for_all_addresses_of_the_user(tmp_path: Path) -> None:
    site = choosing(tmp_path)
    assert chosen(site) == ["strict", "normal*", "lenient"]
    answer = text_of(site.post("/my/strictness", step="lenient"))
    assert "Chosen: it counts from the next message on." in answer
    assert chosen(site) == ["strict", "normal", "lenient*"]
    list = tmp_path / "strictness.list"
    assert list.read_text() == (
        "lenient eva@mx.example  # by web:eva\nlenient info@mx.example  # by web:eva\n"
    )
    site.post("/my/strictness", step="normal")
    assert list.read_text().split("\n")[0] == "normal eva@mx.example  # by web:eva"
    assert len(list.read_text().splitlines()) == 2


def test_addresses_with_different_steps_have_none_chosen(tmp_path: Path) -> None:
    site = choosing(tmp_path)
    (tmp_path / "strictness.list").write_text("strict info@mx.example\n")
    assert chosen(site) == ["strict", "normal", "lenient"]
    (tmp_path / "strictness.list").write_text("strict @mx.example\n")
    assert chosen(site) == ["strict*", "normal", "lenient"]


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ("lenient_score = 0", ["strict", "normal*"]),
        ("strict_score = 0", ["normal*", "lenient"]),
        ("strict_score = 0\nlenient_score = 0", []),
        ("dry_run = true", []),
    ],
)
def test_only_what_the_admin_allows_is_offered(
    tmp_path: Path, settings: str, offered: list[str]
) -> None:
    site = choosing(tmp_path, settings)
    assert chosen(site) == offered
    for step in ("strict", "lenient"):
        if step not in offered:
            assert site.post("/my/strictness", step=step).status_code == 400
    assert not (tmp_path / "strictness.list").exists()


def test_without_the_filter_there_is_nothing_to_choose(tmp_path: Path) -> None:
    site = with_users(tmp_path)
    assert chosen(site) == []
    assert site.post("/my/strictness", step="strict").status_code == 400


@pytest.mark.parametrize("step", ["", "severe", "strict\nlenient @mx.example"])
def test_other_words_are_refused(tmp_path: Path, step: str) -> None:
    site = choosing(tmp_path)
    assert site.post("/my/strictness", step=step).status_code == 400
    assert not (tmp_path / "strictness.list").exists()


def test_choices_are_counted(tmp_path: Path) -> None:
    site = choosing(tmp_path, more="actions_per_hour = 2\n")
    for step in ("strict", "lenient"):
        site.post("/my/strictness", step=step)
    answer = text_of(site.post("/my/strictness", step="normal"))
    assert "You have reached the limit for now." in answer
    assert (tmp_path / "strictness.list").read_text().startswith("lenient")


def test_a_broken_list_is_the_admins_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = choosing(tmp_path)
    (tmp_path / "strictness.list").write_text("severe @mx.example\n")
    assert chosen(site) == ["strict", "normal", "lenient"]
    assert "strictness.list:1: is not an entry" in caplog.text
    # What a user chooses counts as soon as the line is mended, which stays.
    site.post("/my/strictness", step="strict")
    assert "severe @mx.example\n" in (tmp_path / "strictness.list").read_text()


def test_the_question_is_asked_in_german(tmp_path: Path) -> None:
    site = choosing(tmp_path)
    answer = site.browser.get("/my", headers={"Accept-Language": "de"})
    assert "Wie streng soll der Filter für Ihre Mail sein?" in text_of(answer)


def test_reviewers_have_no_such_page(tmp_path: Path) -> None:
    site = choosing(tmp_path)
    other = site.another()
    site.log_in("bob", browser=other)
    assert other.get("/my").status_code in (303, 403, 404)
