"""`filterd backup` and `filterd restore`: all that the site has, in one archive, and back."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from filterd.backup.manifest import BackupError, Manifest
from filterd.backup.restoring import manifest_of
from filterd.backup.restoring import restore as bring_back
from filterd.backup.saving import name_of, save, thin_out
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.config.load import Settings
from filterd.lab.programs import answers
from filterd.quarantine import Store, StoreError
from filterd.quarantine.carry import carry_releases
from filterd.system import privileges
from filterd.system.display import count, size, to_the_second


def backup(
    archive: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.tar.gz",
            help="must not exist yet; or a folder, in which it is named by the time",
        ),
    ],
    config: ConfigOption = None,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="with a folder: how many archives stay there, the newest ones"),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Save settings, quarantine, models, lists, accounts, history and state in one archive.

    The daemon may run. The archive holds mail and keys: it has mode 0600. Exit status 73 if it
    cannot be written.
    """
    loaded = settings(config)
    with privileges.as_caller():
        folder = archive if archive.is_dir() else None
    if folder is not None:
        archive = folder / name_of(time.time())
    elif keep is not None:
        fail(f"--keep needs a folder; {archive} is not one", Exit.USAGE)
    with reported(Exit.CANNOT_CREATE, BackupError):
        manifest = save(loaded, archive)
        if folder is not None and keep is not None:
            thin_out(archive, keep)
    _print(archive, manifest, as_json)
    for key in manifest.elsewhere:
        sys.stderr.write(
            f"filterd: warning: {key} is on a server, and not in the archive; save it with the "
            "server's own tools\n"
        )
    return Exit.OK


def restore(
    archive: Annotated[Path, typer.Argument(metavar="FILE.tar.gz")],
    config: ConfigOption = None,
    with_settings: Annotated[
        bool, typer.Option("--with-settings", help="the settings file, too; else it is kept")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="only show what the archive holds")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Bring back what `backup` saved, to where the settings have it. The daemon must be stopped.

    Every checksum is compared first. What is there now stays beside it, as NAME.before-restore.
    What was released since stays released. Exit status 65 for a damaged archive; nothing was
    changed then.
    """
    loaded = settings(config)
    if check:
        with reported(Exit.DATA, BackupError):
            _print(archive, manifest_of(archive), as_json)
        return Exit.OK
    if _runs(loaded):
        fail(f"the daemon answers at {loaded.daemon.socket}; stop it first", Exit.UNAVAILABLE)
    with reported(Exit.DATA, BackupError):
        done = bring_back(loaded, archive, with_settings=with_settings)
    replaced = next(
        (one.former for one in done if one.path == loaded.quarantine.folder.resolve()), None
    )
    with reported(Exit.DATA, StoreError):
        store = Store(loaded.quarantine)
        with contextlib.closing(store):
            # Mail that came while the archive was made is there, and not in its index.
            store.fsck()
            kept = carry_releases(store, replaced) if replaced is not None else ()
    if kept:
        sys.stderr.write(
            f"filterd: {count(len(kept), 'message')} released since the archive was made: "
            "the journal still says so, and nothing is sent twice\n"
        )
    for one in done:
        former = "" if one.former is None else f"; what was there: {one.former}"
        if as_json:
            emit({"key": one.key, "path": str(one.path), "former": str(one.former or "")})
        else:
            sys.stdout.write(f"{one.key}: {one.path}{former}\n")
    return Exit.OK


def _runs(loaded: Settings) -> bool:
    address = loaded.daemon.address
    return answers(address.path or (address.host, address.port))


def _print(archive: Path, manifest: Manifest, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "archive": str(archive),
                "made": manifest.made,
                "version": manifest.version,
                "files": len(manifest.items),
                "octets": manifest.octets,
                "parts": sorted(manifest.parts.values()),
                "elsewhere": list(manifest.elsewhere),
            }
        )
        return
    sys.stdout.write(
        f"{archive}: {count(len(manifest.items), 'file')}, {size(manifest.octets)}, made "
        f"{to_the_second(manifest.made)} by filterd {manifest.version}\n"
    )
    for key in sorted(manifest.parts.values()):
        sys.stdout.write(f"  {key}\n")
