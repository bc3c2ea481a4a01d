#!/usr/bin/env bash
# setup-system.sh base | test - the system packages that a checkout needs (Debian and its children).
#
#   base   what `make demo` wants: a compiler and libmilter for pymilter, venv, libarchive; and clamd
#   test   base and every real server that the tests drive: sendmail, Postfix, slapd, clamav-milter, OpenDKIM,
#          spamass-milter, c-icap, Dovecot, procmail, vacation, Redis, rspamd, and the clients swaks and
#          msmtp; and with npm an OpenID Provider
#
# Each need is a file to look for, so a second run asks neither dpkg nor the network. sendmail and
# Postfix exclude each other as packages, and slapd makes a directory of its own; these are only unpacked, below
# ${XDG_CACHE_HOME:-~/.cache}/filterd/servers, and the machine's own servers are left alone.
# No service is started. Without root it says which packages to install, and ends with 1 if nothing works
# without them; where only clamd or a server of the tests is missing, it goes on without.
set -euo pipefail

level=${1:-base}
case $level in
  base | test) ;;
  *)
    echo "usage: ${0##*/} base|test" >&2
    exit 64
    ;;
esac

servers=${XDG_CACHE_HOME:-$HOME/.cache}/filterd/servers

# "package  what to look for": a path, a program in PATH, or a @probe of present()
required='
gcc                 gcc
libc6-dev           /usr/include/stdio.h
libmilter-dev       /usr/include/libmilter/mfapi.h
python3-venv        @venv
python3-dev         @headers
libarchive13        @libarchive
'
# Without it the demo has no virus scan.
base_optional='
clamav-daemon       clamd
'
# Tests of what is missing are skipped, and are failures in CI.
test_optional='
m4                  m4
db5.3-util          db5.3_verify
clamav-milter       clamav-milter
opendkim            opendkim
opendkim-tools      opendkim-genkey
miltertest          miltertest
libnet-ssleay-perl  @ssleay
procmail            procmail
vacation            vacation
iproute2            ip
chromium            chromium
dovecot-imapd       dovecot
dovecot-sieve       sievec
openssl             openssl
spamass-milter      spamass-milter
spamc               spamc
spamassassin        spamassassin
msmtp               msmtp
swaks               swaks
libsasl2-modules    @sasl-plain
postgresql          @postgres
clamav              clamscan
clamdscan           clamdscan
clamav-freshclam    freshclam
c-icap              c-icap
libc-icap-mod-virus-scan @virus-scan
systemd             systemd-analyze
nodejs              node
npm                 npm
nsd                 nsd
redis-server        redis-server
valkey-server       @valkey
rspamd              rspamd
zsh                 zsh
fish                fish
'

# Debian keeps servers in sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive
# Another apt may be at work on this machine: wait this many seconds for its lock.
apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root)

present() {
  case $1 in
    # ensurepip is what Debian splits out of Python into python3-venv.
    @venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null ;;
    @headers) "${PYTHON:-python3}" -c \
      'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ;;
    @postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
    @virus-scan) compgen -G '/usr/lib/*/c_icap/virus_scan.so' >/dev/null ;;
    @sasl-plain) compgen -G '/usr/lib/*/sasl2/libplain.so' >/dev/null ;;
    # swaks can do TLS only with it.
    @ssleay) perl -MNet::SSLeay -e 1 2>/dev/null ;;
    # Debian has it from 13 on; without it its tests are not there, Redis has the same.
    @valkey) command -v valkey-server >/dev/null || grep -qs '=bookworm' /etc/os-release ;;
    @libarchive) /sbin/ldconfig -p | grep -q 'libarchive\.so\.13' ;;
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local package probe
  while read -r package probe; do
    [ -z "$package" ] || present "$probe" || echo "$package"
  done <<<"$1"
}

updated=
update_lists() {
  [ -n "$updated" ] || "${apt[@]}" update >/dev/null
  updated=yes
}

# Where the machine has no policy of its own, one that forbids every start is there while we install.
policy=/usr/sbin/policy-rc.d
own_policy=
work=
clean_up() {
  [ -z "$own_policy" ] || rm -f "$policy"
  [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT

install_packages() {
  if [ ! -e "$policy" ]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  update_lists
  echo "installing: $*"
  local log
  log=$(mktemp)
  if ! "${apt[@]}" install --no-install-recommends "$@" >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm -f "$log"
    echo "setup-system: apt-get install $* failed (its last lines are above)" >&2
    exit 1
  fi
  rm -f "$log"
}

# unpack NAME PACKAGE... - the packages' files below $servers/NAME, their libraries installed
unpack() {
  local name=$1
  shift
  update_lists
  echo "unpacking $* into $servers/$name"
  work=$(mktemp -d)
  (cd "$work" && "${apt[@]}" download "$@" >/dev/null)
  mkdir -p "$work/tree"
  local deb libraries=()
  for deb in "$work"/*.deb; do
    dpkg -x "$deb" "$work/tree"
    # "libdb5.3, libwrap0 (>= 7.6-4~) | other" becomes "libdb5.3 libwrap0"
    mapfile -t -O "${#libraries[@]}" libraries < <(
      dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed -nE 's/^ *(lib[^ |:(]+).*/\1/p'
    )
  done
  local absent=() library
  for library in "${libraries[@]}"; do
    dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q ' installed$' ||
      absent+=("$library")
  done
  [ ${#absent[@]} -eq 0 ] || install_packages "${absent[@]}"
  # With set-id bits the loader would ignore LD_PRELOAD, through which the tests read the log.
  chmod -R ug-s "$work/tree"
  mkdir -p "$servers"
  rm -rf "${servers:?}/$name"
  mv "$work/tree" "$servers/$name"
  rm -rf "$work"
  work=
}

optional=$base_optional
[ "$level" = base ] || optional+=$test_optional
mapfile -t packages < <(missing_packages "$required$optional")

if [ ${#packages[@]} -gt 0 ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  install_packages "${packages[@]}"
  echo "  to undo: apt-get purge --auto-remove ${packages[*]}"
  mapfile -t packages < <(missing_packages "$required$optional")
fi
if [ ${#packages[@]} -gt 0 ]; then
  mapfile -t needed < <(missing_packages "$required")
  echo "setup-system: missing packages, by their names in Debian: ${packages[*]}" >&2
  command -v apt-get >/dev/null && echo "  run: sudo apt-get install --no-install-recommends ${packages[*]}" >&2
  if [ ${#needed[@]} -gt 0 ]; then
    echo "  nothing works without ${needed[*]}" >&2
    exit 1
  fi
  echo "  going on: the demo does without a virus scan, tests of what is missing are skipped" >&2
fi

if [ "$level" = test ]; then
  # An OpenID Provider for Node.js; the lock has the sums of all its files.
  provider=$(cd "$(dirname "$0")/../tests/helpers/servers/oidc_provider" && pwd)
  if command -v npm >/dev/null && ! cmp -s "$provider/package-lock.json" "$servers/oidc-provider/package-lock.json"; then
    echo "unpacking oidc-provider into $servers/oidc-provider"
    work=$(mktemp -d)
    cp "$provider/package.json" "$provider/package-lock.json" "$work"
    if (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null); then
      mkdir -p "$servers"
      rm -rf "${servers:?}/oidc-provider"
      chmod 755 "$work"
      mv "$work" "$servers/oidc-provider"
    else
      echo "setup-system: npm could not install oidc-provider for the tests" >&2
      rm -rf "$work"
    fi
    work=
  fi
  # The last file that is needed of each; the tree is moved into place whole.
  # Without root this works too where the libraries are there.
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    [ -x "$servers/sendmail/usr/libexec/sendmail/sendmail" ] ||
      unpack sendmail sendmail-bin sendmail-base sendmail-cf
    [ -x "$servers/postfix/usr/lib/postfix/sbin/master" ] || unpack postfix postfix
    [ -x "$servers/openldap/usr/sbin/slapd" ] || unpack openldap slapd
  elif [ ! -d "$servers/sendmail" ] || [ ! -d "$servers/postfix" ] || [ ! -d "$servers/openldap" ]; then
    echo "setup-system: not root; sendmail, Postfix and slapd for the tests need one run of this as root" >&2
  fi
fi
