#!/usr/bin/env bash
# build-deb-for.sh RELEASE [FOLDER [COMMIT]] - the Debian package of COMMIT (else HEAD) of this checkout for
# that release (bookworm, trixie), built by `make deb` in a minimal system of it; FOLDER, else
# ../filterd-deb, gets it.
#
# By hand and as root; needs the package mmdebstrap, the network and some gigabytes in TMPDIR (else
# /var/tmp). What is not committed is not in it.
set -euo pipefail

case ${1-} in
  "" | -*)
    echo "usage: ${0##*/} RELEASE [FOLDER [COMMIT]]" >&2
    exit 64
    ;;
esac
release=$1
checkout=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath -m "${2:-$checkout/../filterd-deb}")
commit=$(git -C "$checkout" rev-parse --verify "${3:-HEAD}^{commit}")

[ "$(id -u)" -eq 0 ] || {
  echo "${0##*/}: must be root, to make a system and to enter it" >&2
  exit 77
}
command -v mmdebstrap >/dev/null || {
  echo "${0##*/}: mmdebstrap is missing: apt-get install mmdebstrap" >&2
  exit 69
}

root=$(mktemp -d "${TMPDIR:-/var/tmp}/filterd-build-$release-XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
mmdebstrap --quiet --variant=minbase \
  --include=ca-certificates,dpkg-dev,gcc,git,libarchive13,libc6-dev,libmilter-dev,make,python3-dev,python3-venv \
  "$release" "$root"
# Only where they are there: a machine that reaches the network directly has none of it.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e "$file" ] || cp -L "$file" "$root$file"
done
git clone --quiet --no-checkout "$checkout" "$root/root/filterd"
git -C "$root/root/filterd" checkout --quiet --detach "$commit"

variables=(HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy PIP_INDEX_URL; do
  [ -z "${!name-}" ] || variables+=("$name=${!name}")
done
# shellcheck disable=SC2016 # the inner shell expands these
env -i "${variables[@]}" unshare --mount --pid --fork bash -c '
  mount --make-rprivate /
  mount --bind "$1" "$1"
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  exec chroot "$1" make -C /root/filterd deb DEB=/root/deb
' bash "$root" </dev/null
install -D -m 644 -t "$folder" "$root"/root/deb/*.deb
(cd "$folder" && ls -- *"$(git -C "$checkout" log -1 --format=%h "$commit")"*)
