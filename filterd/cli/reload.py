"""`filterd reload`: the daemon reads its settings again and reports the result."""

from __future__ import annotations

import sys

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, settings
from filterd.ops.control import RELOAD_SECONDS, ask
from filterd.ops.json_socket import AskError, RequestRefusedError


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Make the daemon read its settings and prepare its filters again.

    Mail goes on meanwhile. If the settings are wrong or a filter cannot start, the old ones stay:
    exit status 78. Exit status 69 if the daemon cannot be asked.
    """

    loaded = settings(config)
    try:
        answer = ask(loaded, "reload", RELOAD_SECONDS)
    except RequestRefusedError as error:
        fail(str(error), Exit.CONFIG)
    except AskError as error:
        fail(f"{error}; is the daemon running, and is it yours to ask?", Exit.UNAVAILABLE)
    if as_json:
        emit(answer)
    else:
        sys.stdout.write(f"reloaded, chain {' → '.join(answer['filters']) or '(empty)'}\n")
    return Exit.OK
