#!/usr/bin/env bash
# build-docs.sh [FOLDER] - the documentation as a site, FOLDER/index.html; else build/docs.
#
# Sphinx, by the hashes of requirements/docs.txt, has an environment of its own, build/docs-venv. A warning,
# such as a link that leads nowhere, is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/docs}
venv=build/docs-venv

if ! cmp -s requirements/docs.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements/docs.txt
  cp requirements/docs.txt "$venv/requirements.txt"
fi
"$venv/bin/sphinx-build" -q -W --keep-going -n -c docs -d "$out/.doctrees" . "$out"
rm -rf "$out/.doctrees"
cat >"$out/index.html" <<'END'
<!doctype html>
<meta charset="utf-8">
<title>filterd</title>
<meta http-equiv="refresh" content="0; url=docs/index.html">
<a href="docs/index.html">filterd</a>
END
echo "$out/index.html: $(find "$out" -name '*.html' | wc -l) pages"
