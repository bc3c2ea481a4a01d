"""Releasing for the pages: a service of its own, asked over a unix socket.

The pages are what strangers can reach. Where this service hands released mail to the MTA, their
process needs no network of its own, and can be confined so
(`packaging/filterd-web.no-network.conf`). Who may release what is decided by the pages; the service
has the same user, and does it. It releases what is in the quarantine and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from filterd.ops.json_socket import (
    AskError,
    JsonSocket,
    NotReachedError,
    RequestRefusedError,
    ask_at,
)
from filterd.quarantine import StoreError, UnknownIdError
from filterd.quarantine.release import CLAIM_LIMIT, Form
from filterd.system.bounded import JsonForm, json_object

if TYPE_CHECKING:
    import socket

    from filterd.config.load import Settings
    from filterd.review.actions import ActionRequest, ActionResult

log = logging.getLogger(__name__)

_WISH: JsonForm = {
    "ids": [str],
    "who": str,
    "source": str,
    "note": str,
    "recipients": [str],
    "form": str,
    "again": bool,
    "viruses": bool,
}
_RESULT: JsonForm = {"id": str, "ok": bool, "words": str, "detail": dict}

NOT_REACHED = "not released: the service that releases cannot be reached; the log says why"
UNHEARD = (
    "the service that releases did not say what it did; the message's page will show it, or that "
    "the release was interrupted"
)


def ask_to_release(path: Path, ids: Sequence[str], request: ActionRequest) -> list[ActionResult]:
    """Have the service release messages. One that it did not release, for whatever reason, is a
    result that is not ok. Raises UnknownIdError."""
    from filterd.review.actions import ActionResult  # noqa: PLC0415  (imports this)

    wish = {
        "ids": list(ids),
        "who": request.who,
        "source": request.source,
        "note": request.note,
        "recipients": list(request.recipients),
        "form": request.form,
        "again": request.again,
        "viruses": request.viruses,
    }
    try:
        # As long as somebody may be releasing: until then the message's state says so.
        answer = ask_at(path, {"ask": "release", "wish": wish}, CLAIM_LIMIT)
        if "unknown" in answer:
            raise UnknownIdError(answer["unknown"])
        return [ActionResult(**json_object(one, _RESULT)) for one in answer["results"]]
    except RequestRefusedError as error:
        words = f"not released: {error}"
    except NotReachedError as error:
        log.error("release: %s", error)
        words = NOT_REACHED
    except (AskError, KeyError, TypeError, ValueError) as error:
        log.error("release: %s", error)
        words = UNHEARD
    return [ActionResult(id, False, words) for id in ids]


class ReleaseService:
    """Releases from one store for those who ask at a socket.

    path: the socket's; given: the socket itself, if systemd made it.
    """

    def __init__(self, settings: Settings, path: Path, given: socket.socket | None = None) -> None:
        from filterd.review.actions import ReviewActions  # noqa: PLC0415  (imports this)

        self._actions = ReviewActions(settings)
        self._socket = JsonSocket(path, {"release": self.answer}, given)

    def start(self) -> None:
        """Answer from now on. Raises OSError, AddressError."""
        self._socket.start()

    def stop(self, seconds: float) -> None:
        """Finish what is being released, in at most that time; what is cut off is shown as
        interrupted, never as released."""
        if not self._socket.finish(seconds):
            log.warning("stopped while a message was being released")
        self._socket.close()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Release what the request's `wish` names."""
        from filterd.review.actions import ActionRequest  # noqa: PLC0415  (imports this)

        try:
            wish = json_object(request.get("wish"), _WISH)
            if wish["form"] not in get_args(Form):
                raise ValueError(f"form: expected {' or '.join(get_args(Form))}")
        except ValueError as error:
            return {"error": f"malformed request to release: {error}"}
        ids = list(dict.fromkeys(wish.pop("ids")))
        wanted = ActionRequest(**wish | {"recipients": tuple(wish["recipients"])})
        try:
            results = self._actions.release(ids, wanted)
        except UnknownIdError as error:
            return {"unknown": str(error)}
        except StoreError as error:
            log.error("%s", error)
            return {"error": error.strerror or "the quarantine cannot be used"}
        except ValueError as error:
            return {"error": str(error)}
        for one in results:
            log.info("%s for %s: %s", one.id, wanted.who, one.words)
        return {
            "results": [
                {"id": one.id, "ok": one.ok, "words": one.words, "detail": one.detail}
                for one in results
            ]
        }
