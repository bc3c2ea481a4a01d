#!/usr/bin/env bash
# installed-system.sh [--keep] [--autopkgtest] [--before OLD.deb] RELEASE MTA FILTERD.deb - the first hour of an
# administrator, in a fresh Debian of that release (bookworm, trixie) that systemd boots: the MTA (postfix
# or sendmail), clamd and the package are installed, packaging/debian/tests/first-mail sends the first mail, and
# what is left after a purge is shown. With --before that package is installed first, and holds mail and
# has learnt when the other one takes its place. With --autopkgtest that program runs the package's tests, and
# nothing else is done. scripts/build-deb-for.sh makes packages.
#
# By hand and as root; needs the packages mmdebstrap and systemd-container, the network (for Debian's
# packages; the booted system has none) and some gigabytes in TMPDIR (else /var/tmp). The system is removed
# unless --keep says otherwise. What it did is on stdout, and in FOLDER/root/first-hour.log with --keep.
set -euo pipefail

usage() {
  echo "usage: ${0##*/} [--keep] [--autopkgtest] [--before OLD.deb] bookworm|trixie postfix|sendmail FILTERD.deb" >&2
  exit 64
}

keep=
before=
autopkgtest=
while [[ ${1-} == --* ]]; do
  case $1 in
    --keep) keep=yes ;;
    --autopkgtest) autopkgtest=yes ;;
    --before) before=${2-} && shift ;;
    *) usage ;;
  esac
  shift
done
[ $# -eq 3 ] || usage
release=$1 mta=$2 package=$3
case $mta in postfix | sendmail) ;; *) usage ;; esac
[ "$(id -u)" -eq 0 ] || {
  echo "${0##*/}: must be root, to make a system and to boot it" >&2
  exit 77
}
for program in mmdebstrap systemd-nspawn; do
  command -v "$program" >/dev/null || {
    echo "${0##*/}: $program is missing: apt-get install mmdebstrap systemd-container" >&2
    exit 69
  }
done

checkout=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d "${TMPDIR:-/var/tmp}/filterd-installed-$release-XXXXXX")
clean_up() {
  if [ -n "$keep" ]; then
    echo "${0##*/}: kept in $root"
  else
    rm -rf --one-file-system "$root"
  fi
}
trap clean_up EXIT

echo "${0##*/}: making $release in $root"
# The MTA, clamd and what filterd asks for are fetched here, since the booted system has no network, and
# installed there.
mmdebstrap --quiet --variant=minbase --include=apt-utils,dbus,iproute2,systemd,systemd-sysv \
  "$release" "$root"
chmod 755 "$root"
rm -f "$root/etc/resolv.conf"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
wanted="adduser clamav-daemon clamdscan python3 libmilter1.0.1 libarchive13"
[ "$release" = bookworm ] || wanted=${wanted/libarchive13/libarchive13t64}
case $mta in postfix) wanted+=" postfix" ;; sendmail) wanted+=" sendmail sendmail-bin sensible-mda procmail" ;; esac
[ -z "$autopkgtest" ] || wanted+=" autopkgtest build-essential"
chroot "$root" sh -c "apt-get -qq update && apt-get -qq -y --no-install-recommends --download-only install $wanted" \
  </dev/null >/dev/null

echo mx.example.test >"$root/etc/hostname"
echo "127.0.0.1 localhost mx.example.test mx" >"$root/etc/hosts"
echo "postfix postfix/main_mailer_type select Local only" | chroot "$root" debconf-set-selections
install -m 755 "$checkout"/packaging/debian/tests/first-mail "$checkout/scripts/first-hour.sh" "$root/root"
install -m 644 "$package" "$root/root/filterd.deb"
[ -z "$autopkgtest" ] || cp -R "$checkout/packaging" "$root/root/packaging"
[ -z "$before" ] || install -m 644 "$before" "$root/root/before.deb"
cat >"$root/etc/systemd/system/first-hour.service" <<END
[Unit]
Description=first hour with filterd
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/root/first-hour.sh $mta "$wanted"
StandardOutput=file:/root/first-hour.log
StandardError=inherit
TimeoutStartSec=60min
[Install]
WantedBy=graphical.target
END
chroot "$root" systemctl -q enable first-hour.service
touch "$root/root/first-hour.log"
tail -f "$root/root/first-hour.log" &
follower=$!
status=0
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit --private-users=no \
  --private-network --console=pipe --boot --directory="$root" </dev/null >"$root/root/console.log" 2>&1 ||
  status=$?
sleep 1
kill "$follower"
[ "$status" -eq 0 ] || tail -n 20 "$root/root/console.log"
echo "${0##*/}: $release, $mta: ended with $status"
exit "$status"
