#!/usr/bin/env bash
# lock.sh [--upgrade | --upgrade-package NAME]... - write requirements/*.txt: the exact versions that
# are tested, each with the hashes of all its files.
#
# Run by hand after a change of pyproject.toml's dependencies; needs uv (pip install uv) and the
# package index. Versions stay as they are unless an option says otherwise. One lock fits Python 3.11
# and later on every kind of machine: it has the hash of every wheel and of the source. `make`
# installs nothing else (pip --require-hashes).
#
#   test.txt      what filterd, its tests and its development need
#   product.txt   what filterd needs, in the same versions
#   all.txt       that and all that its settings may ask for: for the Debian package and the image
#   build.txt     what builds the packages that come as source, and filterd itself
#   fuzz.txt      what `make fuzz` needs beside test.txt
#   docs.txt      what `make docs` needs, alone
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-uv}
command -v "$uv" >/dev/null || {
  echo "lock.sh: uv is missing: pip install uv, or set UV to its path" >&2
  exit 69
}
options=("$@")

# lock OUTPUT ARGUMENT... - the output's own versions are kept: uv begins with what is there
lock() {
  "$uv" pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url \
    --custom-compile-command "scripts/lock.sh" --output-file "requirements/$1" "${@:2}"
}

lock test.txt "${options[@]}" --extra dev pyproject.toml
lock product.txt --constraints requirements/test.txt pyproject.toml
lock all.txt --constraints requirements/test.txt --extra all pyproject.toml
echo "setuptools" | lock build.txt "${options[@]}" -
echo "atheris" | lock fuzz.txt "${options[@]}" -
printf 'sphinx\nmyst-parser\nfuro\n' | lock docs.txt "${options[@]}" -
