"""What the directives of an mc file mean: one or two sentences each.

Data only. A line is a name and its sentence; `{1}` and `{2}` stand for the arguments, of FEATURE
and MAILER for those behind the feature's or mailer's name. In brackets or behind a colon they may
be missing.
Source: sendmail 8.17 `cf/README` and `doc/op`, in our own words.
"""

from __future__ import annotations


def _table(text: str) -> dict[str, str]:
    rows = (line.split(None, 1) for line in text.strip().split("\n"))
    return {name: sentence.strip() for name, sentence in rows}


DIRECTIVES = _table("""
VERSIONID               A remark about the version of this file; it becomes a comment.
OSTYPE                  Paths, mailers and defaults of the operating system {1}.
DOMAIN                  The settings that all hosts of the site {1} have in common.
HACK                    An extension of the site, from the folder hack: {1}.
FEATURE                 Switches {1} on.
MAILER                  Makes the mailer {1} available.
define                  Gives {1} the value {2}.
undefine                Takes {1} back.
include                 Reads {1} here.
sinclude                Reads {1} here if it is there.
divert                  Where the text that follows goes: -1 is nowhere, 0 is the sendmail.cf.
changequote             Changes m4's quotes.
DAEMON_OPTIONS          One address to listen on: {1}.
CLIENT_OPTIONS          How connections to other servers are made: {1}.
INPUT_MAIL_FILTER       The milter {1} is asked about each message, after those above it: {2}.
MAIL_FILTER             The milter {1} is known by this name; a list must name it to have it asked.
QUEUE_GROUP             The queue group {1}: {2}.
MODIFY_MAILER_FLAGS     Changes the flags of the mailer {1} (+ adds, - removes, else replaces): {2}.
MASQUERADE_AS           Senders here appear as users of {1}.
MASQUERADE_DOMAIN       Senders of {1} are masqueraded too.
MASQUERADE_DOMAIN_FILE  Senders of the domains in the file {1} are masqueraded too.
MASQUERADE_EXCEPTION    Senders of {1} are not masqueraded.
MASQUERADE_EXCEPTION_FILE  Senders of the domains in the file {1} are not masqueraded.
EXPOSED_USER            The user {1} is never masqueraded: the host's own name shows.
EXPOSED_USER_FILE       The users in the file {1} are never masqueraded.
LOCAL_USER              Mail for the user {1} stays here, even with a hub or relay for local mail.
LOCAL_USER_FILE         Mail for the users in the file {1} stays here, even with a hub.
LOCAL_DOMAIN            Mail for {1} is local, as if it were in local-host-names.
CANONIFY_DOMAIN         Host names below {1} are looked up in spite of nocanonify.
CANONIFY_DOMAIN_FILE    Host names below the domains in {1} are looked up in spite of nocanonify.
GENERICS_DOMAIN         Senders of {1} are looked up in the generics table.
GENERICS_DOMAIN_FILE    Senders of the domains in the file {1} are looked up in the generics table.
VIRTUSER_DOMAIN         Recipients of {1} are looked up in the table of virtual users.
VIRTUSER_DOMAIN_FILE    Recipients of the domains in {1} are looked up in the virtual users.
LDAPROUTE_DOMAIN        Recipients of {1} are routed by LDAP.
LDAPROUTE_DOMAIN_FILE   Recipients of the domains in the file {1} are routed by LDAP.
LDAPROUTE_EQUIVALENT    For LDAP routing, {1} is another name of the masquerade domain.
LDAPROUTE_EQUIVALENT_FILE  For LDAP routing, the domains in {1} are the masquerade domain too.
RELAY_DOMAIN            Mail from and to {1} is relayed.
RELAY_DOMAIN_FILE       Mail from and to the domains and networks in the file {1} is relayed.
TRUST_AUTH_MECH         Clients that logged in with one of these mechanisms may relay: {1}.
LOCAL_CONFIG            Lines of the sendmail.cf follow: macros, classes, maps.
LOCAL_RULE_0            Rules follow that choose a mailer, before mailertable and the smart host.
LOCAL_RULE_1            Rules follow that rewrite senders.
LOCAL_RULE_2            Rules follow that rewrite recipients.
LOCAL_RULE_3            Rules follow that bring addresses into their canonical form.
LOCAL_RULESETS          Rulesets of your own follow, Local_check_mail for example.
LOCAL_NET_CONFIG        Rules follow for hosts that the smart host shall not get.
LOCAL_UUCP              Rules follow that choose a mailer for UUCP addresses.
LOCAL_DNSBL             Rules follow that run with those of DNS blocklists.
LOCAL_SRV_FEATURES      The ruleset Local_srv_features follows: what this server offers a client.
LOCAL_CLT_FEATURES      The ruleset Local_clt_features follows: what is used with a server.
LOCAL_TRY_TLS           The ruleset Local_try_tls follows: whether STARTTLS is tried with a server.
LOCAL_TLS_RCPT          The ruleset Local_tls_rcpt follows: what TLS a recipient's server must have.
LOCAL_TLS_CLIENT        The ruleset Local_tls_client follows: what TLS a client must have.
LOCAL_TLS_SERVER        The ruleset Local_tls_server follows: what TLS a server must have.
MAILER_DEFINITIONS      Definitions of mailers follow (M lines with their rulesets).
SITECONFIG              UUCP neighbours from the file siteconfig/{1}, reached through {2}.
SITE                    A UUCP neighbour: {1}.
UUCPSMTP                Mail for the UUCP host {1} goes to {2} by SMTP.
ifdef                   What follows counts only if {1} has (or has not) been defined.
ifelse                  What follows counts only if the texts are equal.
""")

FEATURES = _table("""
accept_unqualified_senders  Senders without a domain are accepted.
accept_unresolvable_domains  Senders whose domain does not resolve are accepted.
access_db               A table says who may send or relay and who is refused: the access table.
allmasquerade           Recipients in the header are masqueraded too, not only senders.
always_add_domain       Local addresses get the domain even when mail stays here.
authinfo                Passwords for logging in at other servers are in a table of their own.
badmx                   Senders are refused whose MX leads to an impossible address (127.0.0.1).
bcc                     A hidden copy of mail goes to the address that the access table has for it.
bestmx_is_local         Mail for a domain whose best MX is this host is local.
bitdomain               BITNET hosts are looked up in a table of internet names.
blacklist_recipients    The old name of blocklist_recipients.
block_bad_helo          Clients are refused that greet with this host's name or without a dot.
blocklist_recipients    The access table is asked about recipients too: it may close mailboxes.
check_cert_altnames     The other names in a server's certificate count too.
check_other             Clients with strange commands in place of SMTP are refused.
compat_check            The access table may forbid single pairs of sender and recipient.
conncontrol             The access table limits the connections of a client (ClientConn:).
delay_checks            Client and sender are judged only at RCPT; recipients may be excepted ({1}).
dnsbl                   Clients in the DNS blocklist {1} are refused.
domainmap               Whole addresses are translated by a table of domains.
domaintable             Domains are replaced by others by a table, in every address.
drac                    Clients that read mail recently may relay, by a database of drac.
enhdnsbl                Clients in the DNS blocklist {1} are refused, by what it answers.
fips3                   OpenSSL 3 works in its FIPS mode, by the settings file {1}.
generics_entire_domain  The generics table counts for the hosts below its domains too.
genericstable           Senders are replaced by others, by a table: login names become addresses.
greet_pause             A client that speaks before the greeting is refused; the pause is {1} ms.
ldap_routing            Recipients are looked up in LDAP for their address and host.
limited_masquerade      Only the domains of MASQUERADE_DOMAIN are masqueraded, not all local ones.
local_lmtp              Local mail is delivered by LMTP: {1}.
local_no_masquerade     Mail that stays here is not masqueraded.
local_procmail          Local mail is delivered by procmail: {1}.
lookupdotdomain         .example.org in the access table stands for all hosts below example.org.
loose_relay_check       user%site@here is relayed where site may be relayed to.
mailertable             A table says by domain which mailer and host mail goes to.
masquerade_entire_domain  Hosts below the masqueraded domains are masqueraded too.
masquerade_envelope     The envelope's sender is masqueraded too, not only the header.
msp                     This is the file of the submission program, which hands mail to {1}.
mtamark                 Clients are judged by MTA marks in the DNS.
no_default_msa          sendmail does not listen on port 587 unless DAEMON_OPTIONS says so.
nocanonify              Host names in addresses are not looked up in the DNS ({1}).
nopercenthack           user%host@here is not taken apart.
notsticky               Local users' mail goes to the hub in any case; the default.
nouucp                  a!b is not a UUCP address ({1}).
nullclient              This host only hands all mail to {1}.
prefixmod               Mailers' host names get a prefix.
preserve_local_plus_detail  The detail of user+detail is kept for the local mailer.
preserve_luser_host     Mail for unknown users keeps its host when LUSER_RELAY gets it.
promiscuous_relay       Everybody may relay through this host, spammers too.
queuegroup              The access table chooses the queue group of a recipient.
ratecontrol             The access table limits how often a client may connect (ClientRate:).
redirect                Mail for user.REDIRECT is refused with the new address.
relay_based_on_MX       Mail is relayed to all domains whose MX is this host.
relay_entire_domain     All hosts of the local domains may relay.
relay_hosts_only        Relay entries count for the host itself, not for what is below it.
relay_local_from        Who says that he is a local sender may relay; that can be forged.
relay_mail_from         Senders that the access table has with RELAY may relay; that can be forged.
require_rdns            Clients without a name in the DNS are refused.
rhsbl                   Senders whose domain is in the DNS blocklist {1} are refused.
smrsh                   Programs in aliases and .forward run in the restricted shell: {1}.
stickyhost              user@here stays here, though unqualified users go to the hub.
sts                     MTA-STS policies of other domains are kept.
tls_failures            Replaced by confTLS_FALLBACK_TO_CLEAR.
tls_session_features    TLS options for single servers and clients are in the access table.
use_client_ptr          check_relay looks up the client's name even if it does not resolve back.
use_ct_file             Users who may set the sender of their mail are in a file (trusted-users).
use_cw_file             Local domains are in a file (local-host-names).
uucpdomain              UUCP hosts are looked up in a table of internet names.
virtuser_entire_domain  The table of virtual users counts for hosts below its domains too.
virtusertable           Recipients in virtual domains are replaced by a table: virtual users.
vnet                    The rules for mail within IBM's VNET.
""")

MAILERS = _table("""
local       Delivery to mailboxes (local) and programs (prog) of this host.
smtp        Delivery by SMTP: smtp, esmtp, smtp8, dsmtp and relay.
uucp        Delivery by UUCP.
procmail    Delivery through a procmail rule file, for mailertable.
usenet      Posting to newsgroups.
fax         Fax by HylaFAX.
pop         Delivery to POP mailboxes by MH's spop.
cyrus       Delivery to Cyrus IMAP by its program deliver.
cyrusv2     Delivery to Cyrus IMAP by LMTP.
mail11      DECnet mail.
phquery     Addresses looked up in a ph server.
qpage       Pages for pagers by QuickPage.
ssh         Delivery by ssh.
xagent      Delivery by an agent of X.400.
""")

DEFINES = _table("""
ALIAS_FILE              The files of aliases.
BITNET_RELAY            The host that gets mail for BITNET.
CYRUSV2_MAILER_ARGS     How Cyrus is called by LMTP.
CYRUSV2_MAILER_FLAGS    More flags of the Cyrus mailer.
CYRUS_MAILER_ARGS       How Cyrus' deliver is called.
CYRUS_MAILER_FLAGS      Flags of the Cyrus mailer.
CYRUS_MAILER_PATH       Where Cyrus' deliver is.
CYRUS_MAILER_USER       The user that Cyrus' deliver runs as.
DATABASE_MAP_TYPE       The type of tables whose feature names none: hash, btree, cdb.
DECNET_RELAY            The host that gets mail for DECnet.
ESMTP_MAILER_ARGS       How esmtp connects: TCP $h and a port.
FAX_RELAY               The host that gets faxes.
HELP_FILE               The texts of the command HELP.
LOCAL_MAILER_ARGS       How the local delivery program is called.
LOCAL_MAILER_CHARSET    The character set of 8-bit mail for local users.
LOCAL_MAILER_DSN_DIAGNOSTIC_CODE  The kind of its diagnostic codes in reports.
LOCAL_MAILER_EOL        How lines end for the local mailer.
LOCAL_MAILER_FLAGS      Flags of the local mailer, besides those it has in any case.
LOCAL_MAILER_MAX        The largest message for the local mailer, in octets.
LOCAL_MAILER_MAXMSGS    How many messages the local mailer gets in one connection.
LOCAL_MAILER_MAXRCPTS   How many recipients the local mailer gets at a time.
LOCAL_MAILER_PATH       The program that delivers to mailboxes.
LOCAL_MAILER_QGRP       The queue group of local mail.
LOCAL_PROG_QGRP         The queue group of mail for programs.
LOCAL_RELAY             The host that gets mail for users without a domain.
LOCAL_SHELL_ARGS        How the shell is called for programs in aliases.
LOCAL_SHELL_DIR         The folders in which programs in aliases run.
LOCAL_SHELL_FLAGS       Flags of the mailer for programs.
LOCAL_SHELL_PATH        The shell that runs programs in aliases.
LUSER_RELAY             Where mail for unknown local users goes.
MAIL_HUB                The host that gets all local mail.
MAIL_SETTINGS_DIR       The folder of the tables and lists, with a slash at its end.
PROCMAIL_MAILER_ARGS    How procmail is called by its own mailer.
PROCMAIL_MAILER_FLAGS   Flags of the mailer procmail.
PROCMAIL_MAILER_MAX     The largest message for procmail, in octets.
PROCMAIL_MAILER_PATH    Where procmail is.
QUEUE_DIR               The folder of the queue.
MSP_QUEUE_DIR           The folder of the submission program's queue.
RELAY_MAILER_ARGS       How relay connects: TCP $h and a port.
RELAY_MAILER_FLAGS      More flags of the mailer relay.
RELAY_MAILER_MAXMSGS    How many messages a relay gets in one connection.
SMART_HOST              The host that gets all mail for others.
SMTP8_MAILER_ARGS       How smtp8 connects: TCP $h and a port.
DSMTP_MAILER_ARGS       How dsmtp connects: TCP $h and a port.
SMTP_MAILER_ARGS        How smtp connects: TCP $h and a port.
SMTP_MAILER_CHARSET     The character set of 8-bit mail sent by SMTP.
SMTP_MAILER_FLAGS       More flags of the SMTP mailers.
SMTP_MAILER_LL          The longest line that the SMTP mailers send, in octets.
SMTP_MAILER_MAX         The largest message for the SMTP mailers, in octets.
SMTP_MAILER_MAXMSGS     How many messages a server gets in one connection.
SMTP_MAILER_MAXRCPTS    How many recipients a server gets at a time.
STATUS_FILE             The file of the statistics that mailstats shows.
USENET_MAILER_ARGS      How the program for newsgroups is called.
USENET_MAILER_FLAGS     Flags of the mailer for newsgroups.
USENET_MAILER_MAX       The largest message for newsgroups, in octets.
USENET_MAILER_PATH      The program that posts to newsgroups.
UUCP_MAILER_ARGS        How uux is called.
UUCP_MAILER_FLAGS       More flags of the UUCP mailers.
UUCP_MAILER_MAX         The largest message for UUCP, in octets.
UUCP_MAILER_PATH        Where uux is.
UUCP_RELAY              The host that gets mail for UUCP hosts that this one does not know.
confALIAS_WAIT          How long to wait for the alias database to be rebuilt.
confALLOW_BOGUS_HELO    Whether HELO with a malformed name is accepted.
confAUTH_MAX_BITS       The most bits of encryption that AUTH asks for.
confAUTH_MECHANISMS     Which mechanisms of AUTH are offered.
confAUTH_OPTIONS        How AUTH is done: p no plain text without TLS, y no anonymous, A and others.
confAUTH_REALM          The realm that SASL is told.
confAUTO_REBUILD        No longer known: whether aliases are rebuilt when needed.
confBAD_RCPT_THROTTLE   After how many refused recipients each further one waits a second.
confBIND_OPTS           Options for the resolver.
confBLANK_SUB           What stands for blanks between words of an address.
confCACERT              The certificates of authorities, in one file.
confCACERT_PATH         The folder of certificates of authorities.
confCERT_FINGERPRINT_ALGORITHM  The digest by which the rules know a certificate.
confCF_VERSION          The version of this configuration, as Received fields show it.
confCHECKPOINT_INTERVAL  After how many recipients the queue file is written again.
confCHECK_ALIASES       Whether newaliases checks the right sides.
confCIPHER_LIST         Which ciphers TLS may use.
confCLIENT_CERT         The certificate shown to other servers.
confCLIENT_KEY          Its private key.
confCLIENT_OPTIONS      Replaced by CLIENT_OPTIONS().
confCLIENT_SSL_OPTIONS  TLS options towards servers.
confCOLON_OK_IN_ADDR    Whether a colon in an address belongs to it.
confCONNECTION_RATE_THROTTLE  How many connections are accepted in a second.
confCONNECTION_RATE_WINDOW_SIZE  Over which time connections are counted for ratecontrol.
confCONNECT_ONLY_TO     The one address to which all connections go, for tests.
confCONTROL_SOCKET_NAME  The socket on which the daemon takes commands.
confCON_EXPENSIVE       Whether mail for expensive mailers waits for the next queue run.
confCOPY_ERRORS_TO      Who gets a copy of reports about mail that failed.
confCRL                 The file of revoked certificates.
confCRL_PATH            The folder of revoked certificates.
confCR_FILE             The file of domains that may relay.
confCT_FILE             The file of users who may set the sender.
confCW_FILE             The file of local domains.
confDAEMON_OPTIONS      Replaced by DAEMON_OPTIONS().
confDANE                Whether servers' certificates are checked by TLSA records.
confDEAD_LETTER_DROP    Where mail goes that can neither be delivered nor returned.
confDEF_AUTH_INFO       The file with the login at other servers.
confDEF_CHAR_SET        The character set of 8-bit mail that names none.
confDEF_GROUP_ID        No longer known: the group is a part of confDEF_USER_ID.
confDEF_USER_ID         The user that programs and deliveries run as when no other is known.
confDELAY_LA            From which load on each SMTP command waits a second.
confDELIVERY_MODE       When mail is delivered: background, interactive, queue only or deferred.
confDELIVER_BY_MIN      The shortest time that DELIVERBY may ask for.
confDF_BUFFER_SIZE      How much of a message is kept in memory before it goes to disk.
confDH_PARAMETERS       The parameters of Diffie-Hellman for TLS.
confDEQUOTE_OPTS        Options of the map that takes quotes off.
confDIAL_DELAY          How long to wait before a failed connection is tried once more.
confDIRECT_SUBMISSION_MODIFIERS  Modifiers for mail submitted on the command line.
confDOMAIN_NAME         The host's own full name, $j.
confDONT_BLAME_SENDMAIL  Which unsafe permissions of files are accepted.
confDONT_EXPAND_CNAMES  Whether aliases of hosts (CNAME) stay in addresses.
confDONT_INIT_GROUPS    Whether a user's further groups are left out.
confDONT_PROBE_INTERFACES  Whether the names of the network interfaces are not local.
confDONT_PRUNE_ROUTES   Whether source routes are kept.
confDOUBLE_BOUNCE_ADDRESS  Who gets reports that cannot be delivered themselves.
confEBINDIR             The folder of sendmail's helpers: smrsh, mail.local.
confEIGHT_BIT_HANDLING  What is done with 8-bit mail that is not declared as such.
confERROR_MESSAGE       A text, or a file with one, at the top of reports.
confERROR_MODE          How errors of mail from the command line are reported.
confFALLBACK_MX         The host that is tried when all MX hosts fail.
confFALLBACK_SMARTHOST  The host that is tried when everything else fails, also for unknown hosts.
confFAST_SPLIT          Whether messages are split before their MX hosts are known.
confFORWARD_PATH        Where .forward files are looked for.
confFROM_HEADER         The form of a From field that sendmail adds.
confFROM_LINE           The line before each message in a mailbox.
confHELO_NAME           The name that is given in HELO.
confHOSTS_FILE          The hosts file.
confHOST_STATUS_DIRECTORY  The folder in which the state of other hosts is kept.
confIGNORE_DOTS         Whether a lone dot does not end a message from the command line.
confINPUT_MAIL_FILTERS  The milters that are asked, in this order.
confLDAP_CLUSTER        The name of the cluster for entries in LDAP.
confLDAP_DEFAULT_SPEC   Options of all LDAP maps.
confLOCAL_MAILER        The mailer of local mail.
confLOG_LEVEL           How much is logged: 9 is usual, more is more.
confMAILBOX_DATABASE    Where users are looked up: pw is passwd.
confMAILER_NAME         The sender of reports.
confMATCH_GECOS         Whether full names are taken for user names.
confMAX_ALIAS_RECURSION  How many aliases may lead to each other.
confMAX_DAEMON_CHILDREN  How many connections there may be at a time.
confMAX_HEADERS_LENGTH  The largest header section, in octets.
confMAX_HOP             After how many Received fields a message is a loop.
confMAX_MESSAGE_SIZE    The largest message, in octets; 0 means no limit.
confMAX_MIME_HEADER_LENGTH  The longest MIME field and parameter.
confMAX_NOOP_COMMANDS   How many useless commands a client may give before it is slowed down.
confMAX_QUEUE_AGE       The longest time between two attempts.
confMAX_QUEUE_CHILDREN  How many processes work at the queue.
confMAX_QUEUE_RUN_SIZE  How many messages one queue run looks at.
confMAX_RCPTS_PER_MESSAGE  How many recipients one message may have.
confMAX_RUNNERS_PER_QUEUE  How many processes work at one queue group.
confMCI_CACHE_SIZE      How many connections to servers stay open.
confMCI_CACHE_TIMEOUT   How long they stay open.
confME_TOO              Whether the sender of a list gets a copy.
confMESSAGEID_HEADER    The form of a Message-Id field that sendmail adds.
confMESSAGE_TIMEOUT     No longer known: see confTO_QUEUERETURN and confTO_QUEUEWARN.
confMILTER_LOG_LEVEL    How much is logged about milters.
confMILTER_MACROS_CONNECT  The macros that milters get with a connection.
confMILTER_MACROS_DATA  The macros that milters get at DATA.
confMILTER_MACROS_ENVFROM  The macros that milters get at MAIL.
confMILTER_MACROS_ENVRCPT  The macros that milters get at RCPT.
confMILTER_MACROS_EOH   The macros that milters get at the end of the header.
confMILTER_MACROS_EOM   The macros that milters get at the end of the message.
confMILTER_MACROS_HELO  The macros that milters get at HELO.
confMIME_FORMAT_ERRORS  Whether reports are MIME messages.
confMIN_FREE_BLOCKS     Below how many free blocks of disk mail is not accepted.
confMIN_QUEUE_AGE       The shortest time between two attempts.
confMUST_QUOTE_CHARS    Characters for which a name in an address is quoted.
confNICE_QUEUE_RUN      The priority of queue runs.
confNO_RCPT_ACTION      What is added to a message without recipients in its header.
confOPENSSL_CNF         The settings file that OpenSSL reads; empty for its own.
confOLD_STYLE_HEADERS   Whether blanks may separate addresses.
confOPERATORS           The characters that are words of their own in addresses.
confPID_FILE            The file with the number of the daemon's process.
confPRIVACY_FLAGS       What clients may not do: noexpn, novrfy, needmailhelo, goaway and others.
confPROCESS_TITLE_PREFIX  What ps shows before the name of a process.
confQUEUE_FACTOR        How load and priority together send mail to the queue.
confQUEUE_FILE_MODE     The mode of queue files.
confQUEUE_LA            From which load on mail is only queued.
confQUEUE_SORT_ORDER    The order of a queue run.
confRAND_FILE           Where random numbers for TLS come from.
confRCPTREJ_MSG         The reply to recipients whose mailbox the access table closes.
confREAD_TIMEOUT        No longer known: see confTO_COMMAND and the others.
confRECEIVED_HEADER     The form of Received fields.
confREFUSE_LA           From which load on connections are refused.
confREJECT_LOG_INTERVAL  How often it is logged that connections are still refused.
confREJECT_MSG          The reply to clients that the access table has with REJECT.
confREJECT_NUL          Whether mail with NUL octets is refused.
confRELAY_MAILER        The mailer for mail that goes through a relay.
confRELAY_MSG           The reply when relaying is denied.
confREQUIRES_DIR_FSYNC  Whether folders must be synced for names to be durable.
confRRT_IMPLIES_DSN     Whether Return-Receipt-To asks for a report.
confRUN_AS_USER         The user that sendmail runs as.
confSAFE_FILE_ENV       The folder below which mail may be written to files.
confSAFE_QUEUE          Whether mail is on disk before it is accepted.
confSAVE_FROM_LINES     Whether From lines at the top of a message are kept.
confSEPARATE_PROC       Whether each message of a queue run gets a process of its own.
confSERVER_CERT         This server's certificate: with it and the key STARTTLS is offered.
confSERVER_KEY          Its private key.
confSERVER_SSL_OPTIONS  TLS options towards clients.
confSERVICE_SWITCH_FILE  The file that says where hosts and aliases are looked up.
confSEVEN_BIT_INPUT     Whether the eighth bit of incoming mail is cut off.
confSHARED_MEMORY_KEY   The key of the memory that the processes share.
confSHARED_MEMORY_KEY_FILE  The file that keeps this key.
confSINGLE_LINE_FROM_HEADER  Whether a From field of several lines is made one.
confSINGLE_THREAD_DELIVERY  Whether only one process at a time delivers to a host.
confSMTP_LOGIN_MSG      The greeting.
confSMTP_MAILER         The mailer for other hosts.
confSOFT_BOUNCE         Whether permanent refusals are sent as temporary ones.
confSSL_ENGINE          The engine that OpenSSL uses.
confSSL_ENGINE_PATH     Where that engine is.
confTEMP_FILE_MODE      The mode of temporary files.
confTIME_ZONE           The time zone.
confTLS_FALLBACK_TO_CLEAR  Whether mail goes in the clear after TLS failed.
confTLS_SRV_OPTIONS     TLS as a server: V asks clients for no certificate.
confTO_ACONNECT         How long all attempts to connect for one message may take.
confTO_AUTH             How long to wait for answers in AUTH.
confTO_COMMAND          How long a client may be silent.
confTO_CONNECT          How long a connection may take.
confTO_CONTROL          How long to wait on the control socket.
confTO_DATABLOCK        How long to wait for the next piece of a message.
confTO_DATAFINAL        How long to wait for the reply to the whole message.
confTO_DATAINIT         How long to wait for the reply to DATA.
confTO_FILEOPEN         How long to wait for a file of aliases, .forward or a list.
confTO_HELO             How long to wait for the reply to HELO.
confTO_HOSTSTATUS       How long the state of a host is believed.
confTO_ICONNECT         How long the first attempt to connect may take.
confTO_IDENT            How long to wait for the client's ident answer; 0 asks nothing.
confTO_INITIAL          How long to wait for a greeting.
confTO_LHLO             How long to wait for the reply to LHLO.
confTO_MAIL             How long to wait for the reply to MAIL.
confTO_MISC             How long to wait for replies to other commands.
confTO_QUEUERETURN      After which time mail that cannot be delivered is returned.
confTO_QUEUEWARN        After which time the sender is told that mail still waits.
confTO_QUIT             How long to wait for the reply to QUIT.
confTO_RCPT             How long to wait for the reply to RCPT.
confTO_RSET             How long to wait for the reply to RSET.
confTO_STARTTLS         How long the start of TLS may take.
confTRUSTED_USER        The user who owns the files and may start the daemon.
confTRUSTED_USERS       Users who may set the sender of their mail.
confTRY_NULL_MX_LIST    Whether a host is connected itself when this one is its best MX.
confUNSAFE_GROUP_WRITES  Whether files that a group may write are unsafe.
confUSERDB_SPEC         The user database.
confUSE_COMPRESSED_IPV6_ADDRESSES  Whether IPv6 addresses are written short.
confUSE_ERRORS_TO       Whether Errors-To fields are obeyed.
confUSE_MSP             Whether this is the submission program.
confUUCP_MAILER         The mailer for UUCP.
confWORK_CLASS_FACTOR   How much a message's precedence counts for its priority.
confWORK_RECIPIENT_FACTOR  How much each recipient lowers a message's priority.
confWORK_TIME_FACTOR    How much each attempt lowers a message's priority.
confXF_BUFFER_SIZE      How much of a transcript is kept in memory.
""")

FAMILIES = {
    "confTO_QUEUERETURN_": "After which time mail of this kind is returned to its sender.",
    "confTO_QUEUEWARN_": "After which time the sender of mail of this kind is told that it waits.",
    "confTO_RESOLVER_": "How long and how often the resolver is asked.",
    "confMILTER_MACROS_": "The macros that milters get at this stage.",
}
"""Beginnings of names that have one meaning in common."""


ENDINGS = {
    "_MAILER_ARGS": "How this mailer's program is called.",
    "_MAILER_CHARSET": "The character set of 8-bit mail for this mailer.",
    "_MAILER_DIR": "The folder in which this mailer's program runs.",
    "_MAILER_FLAGS": "Flags of this mailer.",
    "_MAILER_HOST": "The host that this mailer's program goes to.",
    "_MAILER_LL": "The longest line that this mailer sends, in octets.",
    "_MAILER_MAX": "The largest message for this mailer, in octets.",
    "_MAILER_MAXMSGS": "How many messages this mailer sends in one connection.",
    "_MAILER_MAXRCPTS": "How many recipients this mailer gets at a time.",
    "_MAILER_PATH": "Where this mailer's program is.",
    "_MAILER_QGRP": "The queue group of mail for this mailer.",
    "_MAILER_USER": "The user that this mailer's program runs as.",
}
"""Ends of names of one mailer's settings."""


def meaning(name: str) -> str:
    """What a define is about, empty for unknown names."""
    known = DEFINES.get(name)
    if known is not None:
        return known
    of_kind = (text for begin, text in FAMILIES.items() if name.startswith(begin))
    of_mailer = (text for end, text in ENDINGS.items() if name.endswith(end))
    return next(of_kind, "") or next(of_mailer, "")
