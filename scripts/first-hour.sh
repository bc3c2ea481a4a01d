#!/bin/bash
# first-hour.sh MTA PACKAGES - what scripts/installed-system.sh does in the system that it booted: packages are
# installed, filterd.deb after before.deb if that is there, mail is sent, all is purged.
set -euo pipefail
mta=$1 packages=$2
cd /root
apt() {
  apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >apt.log 2>&1 || {
    cat apt.log
    return 1
  }
  sed -n '/^Unpacking filterd/,$p; /^Removing filterd/,$p' apt.log
}
# Owner, mode and name of all that is the system's, without what MTA and clamd write at work (sendmail's make
# writes its list of databases anew, with the group of the folder).
files() {
  find / -xdev \( -path /root -o -path /run -o -path /tmp -o -path /proc -o -path /sys -o -path /dev \
    -o -path /var/log -o -path /var/cache -o -path /var/mail -o -path /var/tmp -o -path /var/spool/cron \
    -o -path '/var/lib/dpkg*' -o -path '/var/lib/apt*' -o -path '/var/lib/systemd*' -o -path '/var/lib/clamav/*' \
    -o -path '/var/lib/postfix/*' -o -path '/etc/systemd/system/clamav-daemon.service.d/*' -o -path '/var/lib/sendmail/*' -o -path /etc/mail/databases -o -path '/var/spool/postfix/pid/*' \) \
    -prune -o -printf '%u:%g %m %p\n' | sort
  cut -d: -f1,3- /etc/passwd
  cut -d: -f1,4 /etc/group
}
laps() {
  read -r now _ </proc/uptime
  awk "BEGIN { printf \"== $1: %.1f s, of the processor %.1f s\\n\", $now - $2, ($(cpu) - $3) / 1e6 }"
}
cpu() { awk '$1 == "usage_usec" { print $2 }' /sys/fs/cgroup/cpu.stat; }
kept() { filterd quarantine stats; }

echo "== the MTA and clamd"
# shellcheck disable=SC2086 # several packages
apt install $packages
useradd --create-home joe
mkdir -p /etc/systemd/system/clamav-daemon.service.d
files >before.txt

if [ -d packaging ]; then
  autopkgtest --no-built-binaries --test-name="$mta" filterd.deb packaging// -- null
  exit
fi

if [ -e before.deb ]; then
  echo "== the former package"
  apt install ./before.deb
  filterd --version
  ./first-mail "$mta" --many 1000
  filterd model list
  held=$(kept)
  filterd quarantine list --json --limit 1000 | sort >held-before.json
  echo "== $(wc -l <held-before.json) of the held messages are compared; all of them: $held"
fi

read -r start _ </proc/uptime
start_cpu=$(cpu)
echo "== apt install"
apt install ./filterd.deb
laps "installed" "$start" "$start_cpu"
systemctl is-active filterd || {
  journalctl -u filterd --no-pager | tail -20
  exit 1
}
if [ -e before.deb ]; then
  filterd quarantine fsck
  [ "$(kept)" = "$held" ] || {
    echo "expected $held, came $(kept)"
    exit 1
  }
  filterd quarantine list --json --limit 1000 | sort >held-after.json
  diff <(cut -c 1-60 held-before.json) <(cut -c 1-60 held-after.json) && echo "== all are there"
  filterd quarantine raw "$(sed -nE '1s/.*"id": ?"([^"]+)".*/\1/p' held-after.json)" | head -3
  filterd model list
  ./first-mail "$mta" --attached
else
  ./first-mail "$mta"
fi
laps "from apt install to the end of the first mail" "$start" "$start_cpu"
dpkg-query -W -f 'installed: ${Package} ${Version}, ${Installed-Size} KiB\n' filterd
echo "== exposure"
systemctl enable --now filterd-web.service filterd-backup.timer || true
systemctl start filterd-backup.service
ls -l /var/backups/filterd/site
systemd-analyze security --no-pager | grep -E "^(UNIT|filterd)"
systemctl --failed --no-pager --no-legend
journalctl --no-pager --unit 'filterd*' --priority warning --quiet
echo "== purge"
apt purge filterd
files >after.txt
diff before.txt after.txt
echo "== nothing is left"
