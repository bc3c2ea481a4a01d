#!/usr/bin/env bash
# container-test.sh [--keep] - build the container images of packaging/ from a Debian that mmdebstrap makes, start
# what compose.yaml has, and send mail by SMTP: clean 250, GTUBE 550, EICAR 554, a banned attachment stripped.
#
# By hand and as root; needs the packages mmdebstrap, podman, crun, podman-compose, dnsmasq-base and
# golang-github-containernetworking-plugin-dnsname, the network, and 10.89.25.0/24 free. Images and containers are
# podman's, below STORAGE (else a folder in /var/tmp), and removed unless --keep says otherwise. No signatures are
# fetched: clamd knows EICAR only.
set -euo pipefail

keep=
case ${1-} in
  "") ;;
  --keep) keep=yes ;;
  *)
    echo "usage: ${0##*/} [--keep]" >&2
    exit 64
    ;;
esac
checkout=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" -eq 0 ] || {
  echo "${0##*/}: must be root" >&2
  exit 77
}
for program in mmdebstrap podman crun podman-compose dnsmasq; do
  command -v "$program" >/dev/null || {
    echo "${0##*/}: $program is missing" >&2
    exit 69
  }
done

# crun takes no mixture of both kinds of control groups: a view with the second kind only, for this script.
if [ -d /sys/fs/cgroup/unified ] && [ -z "${ONE_KIND-}" ]; then
  # shellcheck disable=SC2016 # the inner shell expands it
  ONE_KIND=yes exec unshare --mount bash -c '
    umount -R /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' bash "$0" "$@"
fi

storage=${STORAGE:-/var/tmp/filterd-containers}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/filterd-container-XXXXXX")
mkdir -p "$storage" "$work/bin"
# No limits above those of whoever runs this, and no control groups: neither is what is tested.
cat >"$work/containers.conf" <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=$(ulimit -n):$(ulimit -n)", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
export CONTAINERS_CONF=$work/containers.conf
real=$(command -v podman)
printf '#!/bin/sh\nexec %s --root %s/s --runroot %s/r --storage-driver vfs "$@"\n' "$real" "$storage" "$storage" \
  >"$work/bin/podman"
chmod +x "$work/bin/podman"
export PATH=$work/bin:$PATH
export CLAMD_IMAGE=localhost/clamd-eicar SMTP_PORT=2500
compose() { (cd "$checkout" && podman-compose -p filterd -f packaging/container/compose.yaml "$@"); }
clean_up() {
  compose down -v >/dev/null 2>&1 || true
  rm -rf "$work"
  [ -n "$keep" ] || {
    podman rmi -a -f >/dev/null 2>&1 || true
    rm -rf --one-file-system "$storage"
  }
}
trap clean_up EXIT

base=docker.io/library/debian:bookworm-slim
# What this machine trusts, a proxy's certificate among it, is trusted in the images as soon as they have ca-certificates.
certificates=/etc/ssl/certs/ca-certificates.crt
hooks=()
# shellcheck disable=SC2016 # the shell of the hook expands it
[ ! -e "$certificates" ] || hooks=(
  --customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"'
  --customize-hook="upload $certificates /usr/local/share/ca-certificates/machine.crt"
)
podman image exists "$base" || {
  mmdebstrap --quiet --variant=minbase "${hooks[@]}" bookworm "$work/base.tar"
  podman import "$work/base.tar" "$base" >/dev/null
  rm "$work/base.tar"
}
build=(podman build --format docker --isolation chroot --network host)
"${build[@]}" -f "$checkout/packaging/Containerfile" -t localhost/filterd "$checkout"
"${build[@]}" -t localhost/filterd-postfix "$checkout/packaging/container/postfix"
mkdir "$work/clamd"
cat >"$work/clamd/Containerfile" <<'END'
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends clamav-daemon && rm -rf /var/lib/apt/lists/*
COPY test.ndb /var/lib/clamav/test.ndb
COPY clamd.conf /etc/clamd.conf
CMD ["clamd", "-c", "/etc/clamd.conf"]
END
printf 'DatabaseDirectory /var/lib/clamav\nTCPSocket 3310\nForeground yes\nLogFile /dev/stdout\nUser clamav\n' \
  >"$work/clamd/clamd.conf"
eicar='X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR''-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
printf 'Eicar-Test:0:*:%s\n' "$(printf %s "$eicar" | od -An -v -tx1 | tr -d ' \n')" >"$work/clamd/test.ndb"
"${build[@]}" -t "$CLAMD_IMAGE" "$work/clamd"

compose up -d
for _ in $(seq 120); do
  podman exec filterd_filterd_1 filterd status >/dev/null 2>&1 && break
  sleep 1
done
podman exec filterd_filterd_1 filterd status || {
  compose logs
  exit 1
}
podman exec filterd_filterd_1 filterd doctor || true
echo "== who they are, and what they may not write"
for name in filterd pages; do
  podman exec "filterd_${name}_1" sh -c 'id; touch /x || true'
done
podman exec filterd_pages_1 sh -c 'touch /var/lib/filterd/models/x || true'
echo "== health"
podman healthcheck run filterd_filterd_1 && echo "filterd: healthy"
podman healthcheck run filterd_pages_1 && echo "pages: healthy"
echo "== mail"
python3 - "$eicar" <<'END'
import smtplib, subprocess, sys, time
from email.message import EmailMessage
from email.policy import SMTP

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def verdict(subject, text, attachment=None):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@client.example", "joe@mx.example.test", subject
    mail.set_content(text)
    if attachment:
        mail.add_attachment(b"MZ" + bytes(512), "application", "octet-stream", filename=attachment)
    with smtplib.SMTP("127.0.0.1", 2500, timeout=60) as smtp:
        smtp.ehlo("client.example")
        smtp.mail("ann@client.example")
        smtp.rcpt("joe@mx.example.test")
        code, words = smtp.data(mail.as_bytes(policy=SMTP))
    print(f"{subject}: {code} {words.decode()}", flush=True)
    return code


assert verdict("clean", "The minutes of the meeting.") == 250
assert verdict("gtube", GTUBE) == 550
assert verdict("eicar", sys.argv[1]) == 554
assert verdict("banned", "See the attachment.", "invoice.exe") == 250
for _ in range(60):
    box = subprocess.run(["podman", "exec", "filterd_postfix_1", "cat", "/var/mail/all"], capture_output=True, text=True).stdout
    if "Subject: banned" in box and "Subject: clean" in box:
        break
    time.sleep(1)
assert "See the attachment." in box and "TVoAAAA" not in box and 'filename="invoice.exe"' not in box, box
assert "X-Spam-Status" in box
print("delivered: clean, and banned without its attachment")
END
podman exec filterd_filterd_1 filterd history
echo "== the daemon learns for the pages"
id=$(podman exec filterd_filterd_1 filterd quarantine list --json | sed -nE '1s/.*"id": ?"([^"]+)".*/\1/p')
podman exec filterd_pages_1 filterd quarantine learn spam "$id"
echo "== all as it should be"
