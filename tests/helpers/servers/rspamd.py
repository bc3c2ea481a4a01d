"""rspamd with DKIM alone: signs mail of one domain, and says what other signatures are worth."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.helpers.process import Program, listens, require

CONFIGURATION = """\
options {{
  pidfile = "{folder}/pid";
  control_socket = "{folder}/control.sock mode=0600";
  hs_cache_dir = "{folder}";
  disable_hyperscan = true;
  url_tld = "{folder}/suffixes";
  filters = ["dkim"];
  dns {{ nameserver = ["{nameserver}"]; timeout = 5s; retransmits = 3; }}
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; }}
worker "rspamd_proxy" {{
  bind_socket = "{folder}/rspamd.sock mode=0666";
  milter = yes;
  count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{
  path = "/usr/share/rspamd/plugins/dkim_signing.lua";
  path = "/usr/share/rspamd/plugins/milter_headers.lua";
}}
lua = "/usr/share/rspamd/rules/rspamd.lua";
actions {{ reject = 1000; add_header = 900; greylist = 800; }}
dkim {{ check_local = true; check_authed = true; sign_headers = "{headers}"; }}
dkim_signing {{
  sign_local = true;
  use_domain = "header";
  use_esld = false;
  try_fallback = false;
  allow_hdrfrom_mismatch = true;
  allow_username_mismatch = true;
  allow_envfrom_empty = true;
  domain {{ "{domain}" {{ selectors [ {selectors} ] }} }}
}}
milter_headers {{
  use = ["authentication-results"];
  skip_local = false;
  skip_authenticated = false;
  routines {{ authentication-results {{ hostname = "rspamd.example"; }} }}
}}
"""

USER = "_rspamd"

HEADERS = "(o)from:(o)to:(o)subject:(o)date:message-id"


class Rspamd:
    """rspamd on the unix socket `socket`. keys: the private keys of `domain`, by selector."""

    def __init__(self, folder: Path, nameserver: str, domain: str, keys: dict[str, bytes]) -> None:
        program = require("rspamd", "rspamd")
        # Started by root it is its own user, who has to read the keys.
        as_root = os.geteuid() == 0
        selectors = []
        for selector, content in keys.items():
            file = folder / f"{selector}.key"
            file.write_bytes(content)
            file.chmod(0o600)
            if as_root:
                shutil.chown(file, USER)
            selectors.append(f'{{ selector = "{selector}"; path = "{file}"; }}')
        if as_root:
            shutil.chown(folder, USER)
        self.socket = folder / "rspamd.sock"
        # Its package has a list of public suffixes in one release of Debian, not in the next.
        (folder / "suffixes").write_text("example\n")
        (folder / "rspamd.conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                nameserver=nameserver,
                domain=domain,
                selectors=", ".join(selectors),
                headers=HEADERS,
            )
        )
        self.process = Program(
            [
                *(program, "-f", "-c", folder / "rspamd.conf"),
                *(("-u", USER, "-g", USER) if as_root else ()),
            ],
            folder,
            patience=2,
        )

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    def stop(self) -> None:
        self.process.stop()
