"""What of a sendmail.cf the MTA carries out, and what it does not. Data only.

Every option, equate and flag of sendmail is in exactly one table here, or is taken to be carried
out. Where the MTA learns something, its entry goes away.
"""

from __future__ import annotations

CARRIED_OUT = frozenset(
    """
    AliasFile AllowBogusHELO BadRcptShutdown BadRcptShutdownGood BadRcptThrottle BlankSub
    ClientPortOptions ColonOkInAddr ConnectOnlyTo ConnectionRateThrottle ConnectionRateWindowSize
    DaemonPortOptions DefaultCharSet DefaultUser DelayLA DeliverByMin DeliveryMode DontBlameSendmail
    DontExpandCnames DoubleBounceAddress EightBitMode FallbackMXhost FallbackSmartHost ForwardPath
    HeloName HelpFile InputMailFilters MaxAliasRecursion MaxDaemonChildren MaxHeadersLength
    MaxHopCount MaxMessageSize MaxMimeHeaderLength MaxNOOPCommands MaxRecipientsPerMessage MeToo
    Milter.macros.connect Milter.macros.data Milter.macros.envfrom Milter.macros.envrcpt
    Milter.macros.eoh Milter.macros.eom Milter.macros.helo MinFreeBlocks MinQueueAge OldStyleHeaders
    OperatorChars PostmasterCopy PrivacyOptions QueueDirectory QueueLA QueueTimeout RefuseLA
    RejectNUL RunAsUser ServerCertFile ServerKeyFile SevenBitInput SingleLineFromHeader
    SmtpGreetingMessage SoftBounce Timeout.command Timeout.queuereturn Timeout.queuewarn
    TrustedUser
    """.split()
)
"""Options that the MTA obeys."""

WITHOUT_EFFECT = frozenset(
    """
    AliasWait CheckAliases CheckpointInterval ClassFactor ConnectionCacheSize
    ConnectionCacheTimeout ControlSocketName DataFileBufferSize DeadLetterDrop
    DirectSubmissionModifiers DontInitGroups DontPruneRoutes ErrorMode FastSplit ForkEachJob
    HostStatusDirectory HostsFile IgnoreDots LDAPDefaultSpec LogLevel MailboxDatabase
    MaxQueueChildren MaxQueueRunSize MaxRunnersPerQueue Milter.LogLevel MustQuoteChars NiceQueueRun
    NoRecipientAction PidFile ProcessTitlePrefix QueueFactor QueueFileMode
    QueueSortOrder RandFile RecipientFactor RequiresDirfsync ResolverOptions RetryFactor
    ServiceSwitchFile SharedMemoryKey SharedMemoryKeyFile SingleThreadDelivery StatusFile
    TempFileMode TimeZoneSpec Timeout.control Timeout.fileopen Timeout.hoststatus Timeout.misc
    UnixFromLine UnsafeGroupWrites UseErrorsTo UseMSP Verbose XscriptFileBufferSize
    """.split()
)
"""Options of what this MTA does not have: sendmail's processes, its work space, its queue runs, its
use from the command line."""

NOT_CARRIED_OUT = {
    "AuthMaxBits": "AUTH asks for no encryption of its own",
    "AuthMechanisms": "PLAIN and LOGIN are offered, under TLS",
    "AuthOptions": "PLAIN and LOGIN are offered, under TLS",
    "AuthRealm": "there is no realm",
    "CACertFile": "clients' certificates are not asked for",
    "CACertPath": "clients' certificates are not asked for",
    "CertFingerprintAlgorithm": "certificates are not checked",
    "CipherList": "Python's default ciphers are used",
    "ClientCertFile": "other servers are not shown a certificate",
    "ClientKeyFile": "other servers are not shown a certificate",
    "ClientSSLOptions": "mail is sent without TLS",
    "CRLFile": "certificates are not checked",
    "CRLPath": "certificates are not checked",
    "DefaultAuthInfo": "the MTA does not log in at other servers",
    "DHParameters": "OpenSSL chooses them",
    "DialDelay": "a failed connection is tried with the next attempt",
    "DontProbeInterfaces": "names of the interfaces are not local",
    "ErrorHeader": "reports begin without it",
    "HoldExpensive": "mail for expensive mailers is delivered at once",
    "MatchGECOS": "full names are not looked up",
    "MaxQueueAge": "the time between attempts is an hour at most",
    "RejectLogInterval": "each refusal is logged",
    "RrtImpliesDsn": "Return-Receipt-To asks for nothing",
    "SafeFileEnvironment": "files of aliases may be anywhere",
    "SaveFromLine": "a From line at the top is a part of the text",
    "SendMimeErrors": "reports are MIME messages",
    "ServerSSLOptions": "Python's default options are used",
    "SetCertAltnames": "certificates are not checked",
    "SmtpUTF8": "SMTPUTF8 is not offered",
    "SSLEngine": "there is no engine",
    "SSLEnginePath": "there is no engine",
    "SuperSafe": "mail is on disk before it is accepted",
    "TLSFallbacktoClear": "mail is sent without TLS",
    "TLSSrvOptions": "clients' certificates are not asked for",
    "TryNullMXList": "a host whose best MX this one is gets its mail by MX",
    "UseCompressedIPv6Addresses": "IPv6 addresses are written as Python does",
    "UserDatabaseSpec": "there is no user database",
}
"""Options that sendmail obeys and this MTA does not, and what it does."""

AS_ELSEWHERE = {
    "DontProbeInterfaces": ("true",),
    "HoldExpensive": ("false",),
    "MatchGECOS": ("false",),
    "RrtImpliesDsn": ("false",),
    "SaveFromLine": ("false",),
    "SendMimeErrors": ("true",),
    "SuperSafe": ("true", "postmilter", "p", "m", "interactive", "i"),
    "TryNullMXList": ("false",),
}
"""Values with which an option of that table asks for what the MTA does anyway, in lower case."""

TIMEOUTS = "this MTA has limits of its own"
"""Of `O Timeout.…` that are not carried out."""

DAEMON_KEYS = {
    "D": "mail is delivered as soon as it is accepted",
    "L": "the length of the kernel's queue stays",
    "R": "the size of the buffer stays",
    "S": "the size of the buffer stays",
    "c": "connections are not counted by address to listen on",
    "d": "the load does not count",
    "q": "the load does not count",
    "r": "the load does not count",
}
"""Equates of DaemonPortOptions that are not carried out: A, F, I, M, N and P are."""

CLIENT_KEYS = {
    "R": "the size of the buffer stays",
    "S": "the size of the buffer stays",
}
"""Equates of ClientPortOptions that are not carried out: A, F, M and P are."""

PRIVACY = {
    "nobodyreturn": "reports have the header of the message, or all of it",
}
"""Flags of PrivacyOptions that are not carried out; those that restrict programs are not here."""

EQUATES = {
    "/": "the program runs in the whole file system",
    "N": "nice values stay as they are",
    "Q": "there is one queue",
    "W": "a program may take 600 s",
}
"""Equates of mailers that are not carried out, if they have a value."""

FLAGS = {
    "K": "the loop check has no exception",
    "R": "connections come from any port",
    "U": "the From line is not that of UUCP",
    "x": "no Full-Name is added",
    "%": "mail is sent as to other mailers",
}
"""Flags of mailers that ask for something the MTA does not do. All others are carried out, ask for
what it does anyway, or concern what it does not have."""
