#!/usr/bin/env bash
# build-deb.sh [FOLDER] - the Debian package of this checkout, FOLDER/filterd_VERSION_ARCH.deb; FOLDER is
# made where it is missing, and else ../filterd-deb.
#
# For the release on which it is built: the package has the program with its Python packages, those of
# requirements/all.txt by their hashes, in an environment of its own, /usr/lib/filterd, for the Python of
# that release. The compiler, which pymilter and the classifier's kernel need, is needed here only.
# SOURCE_DATE_EPOCH, else the last commit, is the time of all files.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$checkout/../filterd-deb}
out=$(realpath -m "$out")
case $out/ in
  "$checkout"/*)
    echo "build-deb: $out is inside of the checkout; name a folder elsewhere" >&2
    exit 64
    ;;
esac
mkdir -p "$out"
python=/usr/bin/python3
for program in dpkg-deb dpkg-architecture "$python" gcc git; do
  command -v "$program" >/dev/null || {
    echo "build-deb: $program is missing (packages: dpkg-dev gcc git python3-venv python3-dev libmilter-dev)" >&2
    exit 69
  }
done
cd "$checkout"
version=$(sed -nE 's/^version = "(.*)"$/\1/p' pyproject.toml)
commit=$(git log -1 --format='%cd.%h' --date=format:%Y%m%d%H%M)
release=$(. /etc/os-release && echo "$VERSION_ID")
full="$version~git$commit+deb$release"
arch=$(dpkg-architecture -qDEB_HOST_ARCH)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
minor=$("$python" -c 'import sys; print(sys.version_info[1])')

tree=$out/tree
rm -rf "$tree"
umask 022
mkdir -p "$tree/usr/lib" "$tree/usr/bin"
home=$tree/usr/lib/filterd
"$python" -m venv "$home"
pip=("$home/bin/python" -m pip install -q --disable-pip-version-check --no-compile --no-warn-script-location)
"${pip[@]}" --require-hashes -r requirements/build.txt
"${pip[@]}" --require-hashes --no-build-isolation --use-pep517 -r requirements/all.txt
# From what git knows, not from what lies about here.
mkdir -p "$out/source"
git archive HEAD | tar -x -C "$out/source"
"${pip[@]}" --no-index --no-deps --no-build-isolation "$out/source"
"$home/bin/python" -P scripts/manuals.py "$out/manuals"

# What only the build needed.
"$home/bin/python" -m pip uninstall -q -y setuptools wheel pip 2>/dev/null || true
find "$home/bin" -mindepth 1 ! -name 'python*' -delete
site=$home/lib/python3.$minor/site-packages
rm -rf "$out/source" "$site"/pip "$site"/pip-* "$site"/setuptools* "$site"/_distutils_hack \
  "$site"/distutils-precedence.pth "$site"/pkg_resources "$home/lib64" "$home/include"
# Test folders stay, since numpy imports one of its own; and nothing is stripped: the libraries in wheels
# do not survive that ("ELF load command address/offset not page-aligned").
find "$home" -type d -name __pycache__ -prune -exec rm -rf {} +
# Some source packages install their sources into the environment's folder.
find "$home" -mindepth 1 -maxdepth 1 ! -name bin ! -name lib ! -name share ! -name pyvenv.cfg -exec rm -rf {} +
find "$home/share" -mindepth 1 -maxdepth 1 ! -name filterd -exec rm -rf {} +
sed -i "/^command = /d" "$home/pyvenv.cfg"
ln -sfn ../../../bin/python3 "$home/bin/python3"
# Two modules that are programs elsewhere: nobody runs them here.
find "$site" -name '*.py' -perm /111 -exec chmod a-x {} +
find "$site" -name '*.pxd' -perm /111 -exec chmod a-x {} +
find "$site" -name '*.so*' -type f -perm /111 -exec chmod a-x {} +
rm -rf "$site/joblib/test/data"
cat >"$tree/usr/bin/filterd" <<'END'
#!/usr/lib/filterd/bin/python3 -P
"""The command filterd, in its environment."""
from filterd.cli import main

main()
END
chmod 755 "$tree/usr/bin/filterd"

for unit in filterd{,-web,-release,-backup,-report}.service filterd-{web,release}.socket filterd-{backup,report}.timer; do
  install -D -m 644 "packaging/$unit" "$tree/usr/lib/systemd/system/$unit"
done
sed -i '/^# Install as/d' "$tree"/usr/lib/systemd/system/*
install -D -m 644 packaging/filterd.sysusers "$tree/usr/lib/sysusers.d/filterd.conf"
install -D -m 644 packaging/filterd.tmpfiles "$tree/usr/lib/tmpfiles.d/filterd.conf"
install -D -m 644 "$out/manuals/bash/filterd" "$tree/usr/share/bash-completion/completions/filterd"
install -D -m 644 "$out/manuals/zsh/_filterd" "$tree/usr/share/zsh/vendor-completions/_filterd"
install -D -m 644 "$out/manuals/fish/filterd.fish" "$tree/usr/share/fish/vendor_completions.d/filterd.fish"
mkdir -p "$tree/usr/share/man/man1"
for page in "$out"/manuals/man/*.1; do
  gzip -9n <"$page" >"$tree/usr/share/man/man1/$(basename "$page").gz"
done
doc=$tree/usr/share/doc/filterd
mkdir -p "$doc"
gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
printf 'filterd (%s) unstable; urgency=medium\n\n  * As of commit %s; CHANGELOG.md.gz says what is new.\n\n -- %s  %s\n' \
  "$full" "$(git log -1 --format=%h)" "$(sed -n 's/^Maintainer: //p' packaging/debian/control)" \
  "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
install -D -m 644 packaging/debian/lintian-overrides "$tree/usr/share/lintian/overrides/filterd"
cp README.md sendmail.mc.snippet "$doc"
cp packaging/debian/copyright "$doc"
cp -R docs "$doc/docs"
install -D -m 644 -t "$doc/examples" packaging/filterd-web.no-network.conf

mkdir "$tree/DEBIAN"
size=$(du -sk --exclude=DEBIAN "$tree" | cut -f1)
sed -e "s/@VERSION@/$full/; s/@ARCH@/$arch/; s/@SIZE@/$size/; s/@MINOR@/$minor/; s/@NEXT@/$((minor + 1))/" \
  packaging/debian/control >"$tree/DEBIAN/control"
install -m 755 packaging/debian/{postinst,prerm,postrm} "$tree/DEBIAN"
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
deb=$out/filterd_${full}_$arch.deb
dpkg-deb --root-owner-group -Zxz -z1 --build "$tree" "$deb" >/dev/null
rm -rf "$tree" "$out/manuals"
echo "$deb: $(du -h "$deb" | cut -f1), installed $((size / 1024)) MB"
