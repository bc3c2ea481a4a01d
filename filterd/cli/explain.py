"""`filterd explain`: why a message gets its score."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from filterd.bayes.model.explain import explain as explain_opinion
from filterd.bayes.model.store import ModelFileError
from filterd.chain.headers import points
from filterd.chain.play import play
from filterd.chain.report_codec import plain
from filterd.chain.sentence import sentence
from filterd.chain.stages import COMMANDS
from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    left_out,
    models_first,
    reported,
    settings,
)
from filterd.cli.scan import (
    ClientOption,
    HeloOption,
    LoginOption,
    RecipientsOption,
    SenderOption,
    assumed,
    offline_pipeline,
)
from filterd.config.descriptions import descriptions
from filterd.config.load import Settings
from filterd.daemon.remembered import message_digest
from filterd.filters.bayes.filter import Bayes
from filterd.filters.bayes.settings import BayesSettings
from filterd.mailfiles.corpora import read_messages
from filterd.mailfiles.mail_file import CorpusError
from filterd.message import Message
from filterd.message.line_ends import with_crlf
from filterd.ops.control import ask
from filterd.ops.json_socket import AskError
from filterd.system.display import to_the_second

OUTCOMES = 100
"""Recipients whose outcomes are shown; `--json` has all."""

SYMBOLS = 100
"""Symbols that are shown with their details."""


def explain(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="as for scan")],
    config: ConfigOption = None,
    shown: Annotated[int, typer.Option("--words", min=1, help="words shown on each side")] = 12,
    sender: SenderOption = "",
    recipients: RecipientsOption = None,
    client: ClientOption = "",
    helo: HeloOption = "",
    login: LoginOption = "",
    as_json: JsonOption = False,
) -> int:
    """Show why a message gets its score and what becomes of it: the strongest words for spam and
    for ham, each recipient's outcome with the rule that decides, and whether the running daemon
    remembers its content as one that failed."""
    loaded = settings(config, models_first)
    pipeline, not_asked = offline_pipeline(loaded)
    envelope = assumed(sender, recipients, client, login, helo)
    bayes = Bayes(loaded.of_filter(BayesSettings))
    with reported(Exit.UNAVAILABLE, ModelFileError, ValueError, OSError):
        bayes.prepare()
    failed, meanings = _failed(loaded), descriptions(loaded)
    with reported(Exit.NO_INPUT, CorpusError, OSError):
        for path in paths:
            for _label, name, data in read_messages(path, left_out):
                value = explanation(bayes, name, data, shown)
                wire = with_crlf(data)
                report = play(pipeline, envelope, wire)
                known = report.authentication
                value |= {
                    "report": meanings.describe(plain(report)),
                    "verdict": sentence(report),
                }
                value["not_asked"] = not_asked
                value["authentication"] = known.line if known is not None else ""
                value["failed"] = failed.get(message_digest(Message(wire)).hex())
                if as_json:
                    emit(value)
                else:
                    _print_explanation(value)
    return Exit.OK


def _failed(loaded: Settings) -> dict[str, dict[str, Any]]:
    """The contents that the running daemon remembers as failed, by digest; none where it is not
    running, or not for us to ask."""
    try:
        told = ask(loaded, "failed").get("failed")
    except AskError:
        return {}
    return {one["digest"]: one for one in told} if isinstance(told, list) else {}


def explanation(bayes: Bayes, name: str, data: bytes, shown: int) -> dict[str, Any]:
    """Why a message gets its score, as a plain value. The weights under `spam`, `ham` and
    `rest` add up to `log_odds`."""
    opinion = bayes.opinion(Message(data))
    found = explain_opinion(opinion, shown)
    return {
        "file": name,
        "probability": found.probability,
        "log_odds": found.log_odds,
        "points": round(bayes.score(opinion), 2),
        "learned": {"spam": opinion.learned.spam, "ham": opinion.learned.ham},
        "models": [
            {
                "name": one.name,
                "share": one.share,
                "linear": one.score.linear,
                "counts": one.score.counts,
            }
            for one in opinion.models
        ],
        "spam": [{"where": c.origin, "word": c.word, "weight": c.weight} for c in found.spam],
        "ham": [{"where": c.origin, "word": c.word, "weight": c.weight} for c in found.ham],
        "rest": found.rest,
    }


def _print_explanation(value: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(
        f"[bold]{value['file']}[/]: probability {value['probability']:.4f}, "
        f"{value['points']:+.2f} points, log-odds {value['log_odds']:+.3f}"
    )
    for model in value["models"]:
        console.print(
            f"  {model['name']} model, share {model['share']:.2f}: "
            f"linear {model['linear']:+.3f}, counts {model['counts']:+.3f}"
        )
    report = value["report"]
    console.print(f"  {value['verdict']}.", markup=False)
    if report["stage"]:
        reply = report["reply"]
        console.print(
            f"  {report['action']} at {COMMANDS[report['stage']]}, before the message came, with "
            f"{points(report['score'])} points: {reply['code']} {reply['xcode']} {reply['text']}",
            markup=False,
        )
    else:
        console.print(
            f"  {report['action']}: {points(report['score'])} points of all filters, labelled from "
            f"{points(report['required'])}"
        )
    if value["authentication"]:
        console.print(f"  who sent it: {value['authentication']}", markup=False)
    for one in report["outcomes"][:OUTCOMES]:
        whom = f"{one['recipient']}: " if one["recipient"] else ""
        own = ", ".join(f"{s['name']} {points(s['score'])}" for s in one.get("symbols", ()))
        only = f", and only here: {own}" if own else ""
        console.print(f"  {whom}{one['action']} by rule {one['rule']}{only}", markup=False)
    for symbol in report["symbols"][:SYMBOLS]:
        told, detail = symbol["description"], symbol["detail"]
        means = f": {told}" if told else ""
        console.print(f"  {symbol['name']} {points(symbol['score'])}{means}", markup=False)
        if detail and detail != told:
            console.print(f"      {detail}", markup=False)
    if (failed := value["failed"]) is not None:
        did = ", ".join(f"{kind} in {name or 'no filter'}" for name, kind in failed["failures"])
        since, until = (to_the_second(failed[key]) for key in ("since", "until"))
        console.print(
            f"  This content failed ({did}) as {failed['id']} at {since}. The running daemon "
            f"does not try it again with the same filters until {until} or a reload; where "
            "their failure means tempfail it holds the message."
        )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("weight", "where", "word"):
        table.add_column(column, justify="right" if column == "weight" else "left")
    for clue in value["spam"] + value["ham"]:
        table.add_row(f"{clue['weight']:+.3f}", clue["where"], clue["word"])
    table.add_row(f"{value['rest']:+.3f}", "", "(everything else)")
    console.print(table)
