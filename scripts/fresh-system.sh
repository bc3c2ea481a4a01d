#!/usr/bin/env bash
# fresh-system.sh [--user] [--keep] RELEASE [COMMAND...] - run a command of this checkout, `make test` if
# none is named, in a minimal Debian of that release (bookworm, trixie), made for it by mmdebstrap.
#
# By hand and as root; needs the package mmdebstrap, the network and some gigabytes in TMPDIR (else
# /var/tmp). The files that git knows are copied, as they are now. The system takes over this machine's
# name server, certificates and proxies. Its processes end with the command; the system is removed
# unless --keep says otherwise. With --user the command runs as an ordinary user. FILTERD_SHARED, if
# set, is copied as well: the tests read it.
set -euo pipefail

usage() {
  echo "usage: ${0##*/} [--user] [--keep] RELEASE [COMMAND...]" >&2
  exit 64
}

user=root
keep=
while [[ ${1-} == --* ]]; do
  case $1 in
    --user) user=ordinary ;;
    --keep) keep=yes ;;
    *) usage ;;
  esac
  shift
done
[ $# -ge 1 ] || usage
release=$1
shift
command=${*:-make test}

[ "$(id -u)" -eq 0 ] || {
  echo "fresh-system: must be root, to make a system and to enter it" >&2
  exit 77
}
command -v mmdebstrap >/dev/null || {
  echo "fresh-system: mmdebstrap is missing: apt-get install mmdebstrap" >&2
  exit 69
}

checkout=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d "${TMPDIR:-/var/tmp}/filterd-$release-XXXXXX")
clean_up() {
  if [ -n "$keep" ]; then
    echo "fresh-system: kept in $root"
  else
    rm -rf --one-file-system "$root"
  fi
}
trap clean_up EXIT

echo "fresh-system: making $release in $root"
mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,make,python3 "$release" "$root"

# Only where they are there: a machine that reaches the network directly has none of it.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e "$file" ] || cp -L "$file" "$root$file"
done
home=/root
if [ "$user" = ordinary ]; then
  chroot "$root" useradd --create-home --shell /bin/bash ordinary
  home=/home/ordinary
fi
place=$home/src/filterd
mkdir -p "$root$place"
(cd "$checkout" && git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar --null -T - -cf -) | tar -xf - -C "$root$place" --no-same-owner
if [ -n "${FILTERD_SHARED-}" ]; then
  mkdir -p "$root$home/src/shared"
  cp -R "$FILTERD_SHARED/." "$root$home/src/shared/"
fi
chroot "$root" chown -R "$user:" "$home/src"

variables=(HOME="$home" LANG=C.UTF-8 TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy PIP_INDEX_URL CI; do
  [ -z "${!name-}" ] || variables+=("$name=${!name}")
done

echo "fresh-system: $command"
# shellcheck disable=SC2016 # the inner shell expands these
env -i "${variables[@]}" unshare --mount --pid --fork bash -c '
  root=$1 user=$2 place=$3 command=$4
  mount --make-rprivate /
  # A mount point: only then programs inside can have mounts of their own.
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups \
    bash -c "cd $place && $command"
' bash "$root" "$user" "$place" "$command" </dev/null
