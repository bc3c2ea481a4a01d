"""Teaching where the models may not be written: the daemon is asked, and has it done.

The process of the pages is the one that strangers can reach, so its unit may only read the models.
It says over the control socket of the daemon which kept messages are spam or ham; the daemon starts
this module as a process of its own, which reads them from the quarantine and teaches.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filterd.config.load import ConfigError, Settings, load
from filterd.filters.bayes.settings import BayesSettings
from filterd.ops.control import LEARN_SECONDS, ask
from filterd.ops.json_socket import AskError, RequestRefusedError
from filterd.quarantine import StoreError, UnknownIdError
from filterd.system.bounded import JsonForm, json_object, json_value

if TYPE_CHECKING:
    from filterd.review.actions import ActionRequest, ActionResult

_RESULT: JsonForm = {"id": str, "ok": bool, "words": str, "detail": dict}
_LESSON: JsonForm = {
    "class": str,
    "ids": [str],
    "who": str,
    "source": str,
    "note": str,
    "own_models": [str],
}


def may_write(folder: Path) -> bool:
    """False if this process may not write into the folder, or make it where it is missing. True of
    anything else than a folder: who writes there says what is wrong."""
    place = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    return not place.is_dir() or os.access(place, os.W_OK | os.X_OK, effective_ids=True)


def ask_to_learn(
    settings: Settings, ids: Sequence[str], request: ActionRequest, *, spam: bool
) -> list[ActionResult]:
    """Have the daemon teach the site's model what these kept messages are.

    Raises ActionError if it does not answer, or could not teach.
    """
    from filterd.review.actions import ActionError, ActionResult  # noqa: PLC0415  (imports this)

    lesson = {
        "class": "spam" if spam else "ham",
        "ids": list(ids),
        "who": request.who,
        "source": request.source,
        "note": request.note,
        "own_models": list(request.own_models),
    }
    try:
        answer = ask(settings, "learn", LEARN_SECONDS, lesson=lesson)
        return [ActionResult(**json_object(one, _RESULT)) for one in answer["results"]]
    except RequestRefusedError as error:
        raise ActionError(str(error)) from error
    except AskError as error:
        raise ActionError(
            "the model cannot be taught now: it may not be written here, and the daemon, which "
            f"does it, did not answer: {error}"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ActionError("the daemon's answer about what was learned is malformed") from error


def _learn(config: Path | None, data: bytes) -> dict[str, Any]:
    """The answer to a lesson, as `ask` returns it."""
    from filterd.review.actions import (  # noqa: PLC0415  (imports this module)
        ActionError,
        ActionRequest,
        ReviewActions,
    )

    try:
        lesson = json_object(json_value(data), _LESSON)
        if lesson["class"] not in ("spam", "ham"):
            raise ValueError("class: expected spam or ham")
    except ValueError as error:
        return {"error": f"malformed request to learn: {error}"}
    try:
        settings = load(config)
        request = ActionRequest(
            lesson["who"],
            lesson["source"],
            lesson["note"],
            own_models=tuple(lesson["own_models"]),
        )
        actions = ReviewActions(settings)
        if not may_write(folder := settings.of_filter(BayesSettings).models):
            return {"error": f"the model cannot be taught now: {folder} is not writable"}
        ids = list(dict.fromkeys(lesson["ids"]))
        results = actions.learn(ids, request, spam=lesson["class"] == "spam")
    except (ActionError, ConfigError, StoreError, UnknownIdError) as error:
        return {"error": str(error)}
    return {
        "results": [
            {"id": one.id, "ok": one.ok, "words": one.words, "detail": one.detail}
            for one in results
        ]
    }


def main(arguments: Sequence[str]) -> int:
    """`python -m filterd.review.taught_by_daemon [CONFIG]`: a lesson on stdin, the answer on
    stdout, both JSON."""
    config = Path(arguments[0]) if arguments else None
    sys.stdout.write(json.dumps(_learn(config, sys.stdin.buffer.read())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
