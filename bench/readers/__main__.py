"""Which real readers open the program in which messages: `python -m bench.readers --modules DIR`.

Writes all messages of `tests/hostile/tricks/pairs.py` into a folder, has each reader read them, and
writes `tests/hostile/readers.txt`, by which the tests know what a reader opens without having it.
Needs, besides what `make test` needs: gir1.2-gmime-3.0, libmime-tools-perl, libmail-message-perl,
dovecot-imapd, thunderbird, and in the folder `--modules` the packages mailparser and postal-mime
(`npm install mailparser postal-mime`). With `--look` also munpack, ripmime and uudeview
(mpack, ripmime, uudeview): they open almost anything, so what they alone open is only counted.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.readers import dovecot
from tests.hostile.recorded import READERS, RECORDS, write
from tests.hostile.tricks.encodings import PROGRAM
from tests.hostile.tricks.pairs import messages

HERE = Path(__file__).resolve().parent
THUNDERBIRD = Path("/usr/lib/thunderbird")
TOOLS = ("munpack", "ripmime", "uudeview")

_AUTOCONFIG = (
    'pref("general.config.filename", "filterd.cfg");\n'
    'pref("general.config.obscure_value", 0);\npref("general.config.sandbox_enabled", false);\n'
)


def _python(folder: Path, policy: email.policy.Policy) -> Iterator[tuple[str, bytes, str]]:
    for path in sorted(folder.iterdir()):
        message = email.message_from_bytes(path.read_bytes(), policy=policy)
        for part in message.walk():
            if part.is_multipart():
                continue
            try:
                content, name = part.get_payload(decode=True), part.get_filename("")
            except Exception:  # noqa: BLE001 it raises whatever it likes, and shows nothing then
                continue
            yield path.stem, content if isinstance(content, bytes) else b"", str(name)


def _told(command: list[str]) -> Iterator[tuple[str, bytes, str]]:
    """Lines of a reader that runs by itself: name of the message, octets and file name in hex."""
    process = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    for line in process.stdout.splitlines():
        stem, octets, name = line.split(" ")
        yield stem, *(b"" if t == "-" else bytes.fromhex(t) for t in (octets, name))  # type: ignore[misc]


def _thunderbird(folder: Path, work: Path) -> Iterator[tuple[str, bytes, str]]:
    program, profile, output = work / "thunderbird", work / "profile", work / "thunderbird.out"
    if not output.exists():
        if not program.exists():  # some of its links may lead nowhere
            subprocess.run(["cp", "-rL", str(THUNDERBIRD), str(program)], check=False)
        profile.mkdir(exist_ok=True)
        script = (HERE / "thunderbird.cfg").read_text()
        script = script.replace("@FOLDER@", str(folder)).replace("@OUTPUT@", str(output))
        (program / "filterd.cfg").write_text(script)
        preferences = program / "defaults" / "pref"
        preferences.mkdir(parents=True, exist_ok=True)
        (preferences / "autoconfig.js").write_text(_AUTOCONFIG)
        subprocess.run(
            [program / "thunderbird", "--headless", "--profile", profile],
            check=False,
            env={**os.environ, "HOME": str(work), "MOZ_HEADLESS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    lines = output.read_text().splitlines()
    assert lines[-1] == "end", lines[-1]
    for line in lines[:-1]:
        stem, size, coded = line.split(" ")
        name = "" if coded == "-" else bytes.fromhex(coded).decode()
        # It tells the size, not the octets: the program's, or a name that opens as one.
        is_program = name.lower().endswith(".exe") or size == str(len(PROGRAM))
        yield stem, PROGRAM[:2] if is_program else b"", name


def _tool(name: str, folder: Path) -> Iterator[tuple[str, bytes, str]]:
    for path in sorted(folder.iterdir()):
        with tempfile.TemporaryDirectory() as target:
            command = {
                "munpack": ["munpack", "-t", "-f", str(path)],
                "ripmime": ["ripmime", "-i", str(path), "-d", target],
                "uudeview": ["uudeview", "-i", "-q", "-p", target, str(path)],
            }[name]
            subprocess.run(command, cwd=target, capture_output=True, check=False, timeout=10)
            for found in Path(target).rglob("*"):
                if found.is_file():
                    yield path.stem, found.read_bytes()[:2], found.name


def _opened(shown: Iterator[tuple[str, bytes, str]]) -> set[str]:
    return {stem for stem, octets, _name in shown if octets.replace(b"\0", b"")[:2] == PROGRAM[:2]}


def main() -> int:
    """Run all readers and write what they open."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", required=True, type=Path, help="folder with node_modules")
    parser.add_argument("--work", type=Path, help="folder for the messages, kept afterwards")
    parser.add_argument("--look", action="store_true", help="ask the three tools as well")
    parser.add_argument("--anew", nargs="*", default=(), help="readers to ask anew in --work")
    options = parser.parse_args()
    work: Path = options.work or Path(tempfile.mkdtemp(prefix="readers-"))
    folder = work / "messages"
    folder.mkdir(parents=True, exist_ok=True)
    stems: dict[str, str] = {}
    for index, pair in enumerate(messages()):
        (folder / f"{index:05}.eml").write_bytes(pair.data)
        stems[f"{index:05}"] = pair.name
    modules = str(options.modules.resolve())
    perl, node = str(HERE / "perl_readers.pl"), str(HERE / "node_readers.mjs")
    readers = {
        "Python": lambda: _python(folder, email.policy.default),
        "Python, compat32": lambda: _python(folder, email.policy.compat32),
        "GMime": lambda: _told(["/usr/bin/python3", str(HERE / "gmime_reader.py"), str(folder)]),
        "MIME::Parser": lambda: _told(["perl", perl, "MIME::Parser", str(folder)]),
        "Mail::Message": lambda: _told(["perl", perl, "Mail::Message", str(folder)]),
        "mailparser": lambda: _told(["node", node, "mailparser", str(folder), modules]),
        "postal-mime": lambda: _told(["node", node, "postal-mime", str(folder), modules]),
        "Dovecot": lambda: dovecot.run(folder, work),
        "Thunderbird": lambda: _thunderbird(folder, work),
    }
    opened: dict[str, set[str]] = {}
    for name in READERS:
        kept = work / f"{name}.opened"
        if name in options.anew or not kept.exists():
            kept.write_text("\n".join(sorted(_opened(readers[name]()))))
        opened[name] = {stems[stem] for stem in kept.read_text().split()}
        print(f"{name:20} opens it in {len(opened[name])} of {len(stems)}", flush=True)
    write(RECORDS, opened)
    if options.look:
        _look(folder, stems, opened)
    return 0


def _look(folder: Path, stems: Mapping[str, str], opened: Mapping[str, set[str]]) -> None:
    known = set().union(*opened.values())
    for name in TOOLS:
        found = {stems[stem] for stem in _opened(_tool(name, folder))}
        print(f"{name:20} opens it in {len(found)}, alone in {len(found - known)}")


if __name__ == "__main__":
    sys.exit(main())
