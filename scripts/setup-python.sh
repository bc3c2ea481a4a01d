#!/usr/bin/env bash
# setup-python.sh product | test - the virtual environment .venv, with what filterd needs, or with what
# its tests need as well. PYTHON names the interpreter, python3 if unset.
#
# Packages come in the versions and with the hashes of requirements/*.txt, those that are source are
# built with the setuptools of requirements/build.txt, nothing else is downloaded. What was installed is
# written down last, in .venv/.filterd-*: a run that was cut short, another lock, another Python or
# another place of the folder is noticed, and what is up to date costs no network.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-product}
case $level in
  product | test) ;;
  *)
    echo "usage: ${0##*/} product|test" >&2
    exit 64
    ;;
esac

venv=.venv
python=${PYTHON:-python3}

fail() {
  echo "setup-python: $1" >&2
  exit 1
}

command -v "$python" >/dev/null || fail "there is no $python; name another: make PYTHON=path ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: filterd needs Python 3.11 or later; name another: make PYTHON=path ..."

# A half-made environment, or one of another Python or folder, has no or another text here.
made="$("$python" -c 'import sys; print("Python %d.%d" % sys.version_info[:2], sys.base_prefix)') in $PWD"
installed() {
  echo "$made"
  sha256sum "requirements/$1.txt" requirements/build.txt pyproject.toml filterd/bayes/model/_kernel.c
}
is_up_to_date() {
  compgen -G 'filterd/bayes/model/_kernel.*.so' >/dev/null &&
    [ "$(cat "$venv/.filterd-$1" 2>/dev/null)" = "$(installed "$1")" ] &&
    "$venv/bin/python" -c '' 2>/dev/null
}

if is_up_to_date "$level"; then
  exit 0
fi

# What another user left here, mostly root by sudo, is in the way of pip with a page of its own words.
for path in "$PWD" "$venv" "$venv/bin" build filterd.egg-info filterd/bayes/model; do
  [ ! -e "$path" ] || [ -w "$path" ] ||
    fail "$path belongs to $(stat -c %U "$path"); as root: chown -R $(id -un) $PWD"
done

if [ "$(cat "$venv/.filterd-made" 2>/dev/null)" != "$made" ]; then
  rm -rf "$venv"
  "$python" -m venv "$venv" || fail "$python cannot make a virtual environment (its words are above)"
  printf '%s\n' "$made" >"$venv/.filterd-made"
fi

pip() {
  "$venv/bin/python" -m pip --quiet --quiet --disable-pip-version-check "$@"
}

rm -f "$venv/.filterd-product" "$venv/.filterd-test"
echo "installing Python packages into $venv: requirements/$level.txt"
pip install --require-hashes -r requirements/build.txt
# --use-pep517: pip of before 23.1 would build with a package `wheel`, which no lock names.
pip install --require-hashes --no-build-isolation --use-pep517 -r "requirements/$level.txt"
pip install --no-index --no-deps --no-build-isolation -e .
installed "$level" >"$venv/.filterd-$level"
[ "$level" = product ] || installed product >"$venv/.filterd-product"
