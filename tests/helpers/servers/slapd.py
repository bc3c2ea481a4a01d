"""OpenLDAP's slapd as unpacked by scripts/setup-system.sh, with a few people and groups."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from base64 import b64encode
from pathlib import Path

from tests.helpers.process import Program, free_port, require, unpacked

BASE = "dc=mx,dc=example"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
ADMIN_DN, ADMIN_PASSWORD = f"cn=reader,{BASE}", "reader's password"
PASSWORD = "p\u00e4ssword, with (everything)*\\"

CONF = """\
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/nis.schema
include {root}/etc/ldap/schema/inetorgperson.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/pid
TLSCertificateFile {folder}/certificate.pem
TLSCertificateKeyFile {folder}/key.pem
TLSVerifyClient never
database mdb
suffix {base}
rootdn {admin}
rootpw {password}
directory {folder}/data
overlay memberof
memberof-group-oc groupOfNames
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{admin}" read by * none
"""

PERSON = """\
dn: uid={name},{people}
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
userPassword:: {password}
{mail}
"""


class Slapd:
    """slapd on localhost, `port` for LDAP (with StartTLS) and `tls_port` for LDAP over TLS.

    The folder has certificate.pem and key.pem. people: name → addresses; each has `PASSWORD`.
    groups: name → people.
    """

    def __init__(
        self, folder: Path, people: dict[str, list[str]], groups: dict[str, list[str]]
    ) -> None:
        root = unpacked("openldap")
        program = require(root / "usr/sbin/slapd", "slapd")
        self.folder, self.port, self.tls_port = folder, free_port(), free_port()
        (folder / "data").mkdir()
        conf = folder / "slapd.conf"
        conf.write_text(
            CONF.format(
                root=root,
                folder=folder,
                base=BASE,
                admin=ADMIN_DN,
                password='"' + ADMIN_PASSWORD + '"',
            )
        )
        libraries = root / "usr/lib" / f"{platform.machine()}-linux-gnu"
        environment = {"LD_LIBRARY_PATH": str(libraries)}
        add = [program, "-Tadd", "-f", conf]
        ldif = "\n".join(
            [
                f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: mx\ndc: mx\n",
                *(f"dn: {dn}\nobjectClass: organizationalUnit\n" for dn in (PEOPLE, GROUPS)),
                *(
                    PERSON.format(
                        name=name,
                        people=PEOPLE,
                        password=b64encode(PASSWORD.encode()).decode(),
                        mail="".join(f"mail: {one}\n" for one in addresses).rstrip(),
                    )
                    for name, addresses in people.items()
                ),
            ]
        )
        self._environment = {**os.environ, **environment}
        subprocess.run(add, input=ldif.encode(), env=self._environment, check=True, timeout=60)
        # 127.0.0.2 is a name that the certificate does not have.
        urls = " ".join(
            f"ldap://{host}:{self.port} ldaps://{host}:{self.tls_port}"
            for host in ("127.0.0.1", "127.0.0.2")
        )
        self.process = Program(
            [program, "-d", "256", "-f", conf, "-h", urls], folder, environment, patience=5
        )
        self._groups = groups

    def start(self) -> None:
        import ldap3  # an extra

        self.process.start(lambda: answers_ldap(self.port))
        # The overlay writes memberOf only while the server runs.

        with ldap3.Connection(
            ldap3.Server("127.0.0.1", self.port), ADMIN_DN, ADMIN_PASSWORD, auto_bind=True
        ) as connection:
            for name, members in self._groups.items():
                dns = [f"uid={one},{PEOPLE}" for one in members]
                done = connection.add(
                    f"cn={name},{GROUPS}", "groupOfNames", {"cn": name, "member": dns}
                )
                assert done or "exists" in str(connection.result).lower(), connection.result

    def stop(self) -> None:
        self.process.stop()

    @property
    def log(self) -> str:
        """A line for each operation."""
        return self.process.output


def answers_ldap(port: int) -> bool:
    """True once somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
