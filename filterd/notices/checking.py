"""What of `[notices]` cannot be used, as far as this host alone can tell."""

from __future__ import annotations

from filterd.config.notices import NoticeSettings
from filterd.notices.compose import NoticeError
from filterd.notices.post import unusable
from filterd.notices.samples import check_templates
from filterd.notices.signing import SecretError, read_secrets
from filterd.system.mistakes import dotted


def notice_mistakes(settings: NoticeSettings, now: float) -> list[str]:
    """Templates that cannot be rendered, and files of webhooks that cannot be used, each with its
    key or file and what was expected. now: seconds since 1970, for the examples."""
    found = []
    try:
        check_templates(settings, now)
    except NoticeError as error:
        found.append(str(error))
    for number, hook in enumerate(settings.webhooks):
        try:
            read_secrets(hook.secret)
        except SecretError as error:
            found.append(f"{dotted(('notices', 'webhooks', number, 'secret'))}: {error}")
        if hook.ca is not None and (trouble := unusable(hook.ca)):
            found.append(f"{dotted(('notices', 'webhooks', number, 'ca'))}: {trouble}")
    return found
