"""What is banned as it comes: extensions, declared media types, kinds by content.

Sources: the lists of blocked attachments that Outlook, Outlook on the web and Gmail publish; the
rest by what desktops open as a program. docs/filters/parts.md says which is from where.
"""

from __future__ import annotations

from collections.abc import Mapping

_OUTLOOK = """
    ade adp apk app appcontent-ms application appref-ms appx asp aspx asx bas bat bgi cab cdxml cer
    chm cmd cnt com cpl crt csh der diagcab exe fxp gadget grp hlp hpj hta htc img inf ins iso isp
    its jar jnlp js jse ksh library-ms lnk mad maf mag mam maq mar mas mat mau mav maw mcf mda mdb
    mde mdt mdw mdz msc msh msh1 msh1xml msh2 msh2xml mshxml msi msp mst msu ops osd pcd pif pl plg
    prf prg printerexport ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 pssc pst py pyc pyo pyw pyz
    pyzw reg scf scr sct search-ms searchconnector-ms settingcontent-ms shb shs theme tmp udl url vb
    vbe vbp vbs vhd vhdx vsmacros vsw webpnp website ws wsb wsc wsf wsh xbap xll xnk
"""
"""What Outlook and Outlook on the web do not let their users open."""

_GMAIL = """
    ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe
    hta img ins iso isp jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1
    scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll
"""
"""What Gmail neither sends nor receives."""

_OFFICE_MACROS = """
    accda accde accdr accdu docm dotm mam ppam potm ppsm pptm sldm vsdm vssm vstm xlam xlsm xltm
    dqy iqy oqy ppa rqy slk wbk wiz wll xla
"""
"""Office files that are for macros, and those that fetch or calculate when they are opened."""

_DESKTOPS = """
    appimage appinstaller deskthemepack desktop desktopthemepackfile flatpakref ocx ppkg psm1 qcow
    qcow2 rdp themepack vdi vmdk vsto xip
    afploc command fileloc ftploc inetloc mobileconfig mpkg pkg prefpane scpt scptd terminal webloc
    workflow
"""
"""What else starts programs, installs them, links to them or holds them, on Windows, macOS and the
desktops of Linux."""

SOURCE_CODE = frozenset("asp aspx bas csh ex ksh pl py".split())
"""Extensions of source code that the desktops as they come do not run: a program only for people
who have its interpreter, and one file of many in an archive of sources. Not those of Windows' own
scripts (`js`, `bat`, `vbs`), nor of compiled ones."""

BANNED = tuple(sorted({*f"{_OUTLOOK} {_GMAIL} {_OFFICE_MACROS} {_DESKTOPS}".split()}))
"""Extensions that open as programs, scripts, macros or disk images on the desktops in use today."""

EXTENSION_OF: Mapping[str, str] = {
    "application/bat": "bat",
    "application/hta": "hta",
    "application/java-archive": "jar",
    "application/javascript": "js",
    "application/msaccess": "mdb",
    "application/prg": "prg",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.microsoft.portable-executable": "exe",
    "application/vnd.ms-htmlhelp": "chm",
    "application/vnd.ms-excel.addin.macroenabled.12": "xlam",
    "application/vnd.ms-excel.sheet.macroenabled.12": "xlsm",
    "application/vnd.ms-excel.template.macroenabled.12": "xltm",
    "application/vnd.ms-powerpoint.addin.macroenabled.12": "ppam",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": "pptm",
    "application/vnd.ms-powerpoint.slideshow.macroenabled.12": "ppsm",
    "application/vnd.ms-powerpoint.template.macroenabled.12": "potm",
    "application/vnd.ms-word.document.macroenabled.12": "docm",
    "application/vnd.ms-word.template.macroenabled.12": "dotm",
    "application/x-apple-aspen-config": "mobileconfig",
    "application/x-bat": "bat",
    "application/x-csh": "csh",
    "application/x-desktop": "desktop",
    "application/x-dosexec": "exe",
    "application/x-exe": "exe",
    "application/x-internet-signup": "ins",
    "application/x-iso9660-image": "iso",
    "application/x-java-archive": "jar",
    "application/x-java-jnlp-file": "jnlp",
    "application/x-javascript": "js",
    "application/x-ms-application": "application",
    "application/x-ms-dos-executable": "exe",
    "application/x-ms-installer": "msi",
    "application/x-ms-shortcut": "lnk",
    "application/x-msdos-program": "exe",
    "application/x-msdownload": "exe",
    "application/x-msi": "msi",
    "application/x-mswinurl": "url",
    "application/x-perl": "pl",
    "application/x-powershell": "ps1",
    "application/x-python-code": "pyc",
    "application/x-vbscript": "vbs",
    "application/x-winexe": "exe",
    "text/javascript": "js",
    "text/jscript": "js",
    "text/scriptlet": "sct",
    "text/vbs": "vbs",
    "text/vbscript": "vbs",
    "text/x-javascript": "js",
    "text/x-perl": "pl",
    "text/x-python": "py",
}
"""Media type → extension that its files have: the types that Outlook on the web bans, and those
that IANA or the desktops' own databases list for the extension."""

BANNED_MEDIA_TYPES = tuple(EXTENSION_OF)
"""Declared media types of programs, scripts, macros and disk images."""

BANNED_KINDS = ("chm", "disk", "elf", "exe", "hta", "lnk", "macho", "msi", "url", "vhd")
"""Kinds by content, whatever the name says (see `filterd.filters.parts.unpacking.kinds`)."""
