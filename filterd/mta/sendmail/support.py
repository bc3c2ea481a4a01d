"""What of a sendmail.cf the MTA carries out, and what it does not. Data only.

Every option, equate and flag of sendmail is in exactly one table here, or is taken to be carried
out. Where the MTA learns something, its entry goes away.
"""

from __future__ import annotations

HEADER_RULES = "the field is not checked"
"""What happens to a field with a ruleset where rules do not run; empty where they do."""

CARRIED_OUT = frozenset(
    """
    AliasFile BlankSub ColonOkInAddr DaemonPortOptions DefaultUser DontBlameSendmail ForwardPath
    HelpFile InputMailFilters MaxDaemonChildren MaxHopCount MaxMessageSize MaxRecipientsPerMessage
    MinQueueAge OperatorChars PrivacyOptions QueueDirectory QueueTimeout RunAsUser ServerCertFile
    DontExpandCnames HeloName MaxAliasRecursion OldStyleHeaders
    ServerKeyFile SmtpGreetingMessage Timeout.command Timeout.queuereturn TrustedUser
    Milter.macros.connect Milter.macros.helo Milter.macros.envfrom Milter.macros.envrcpt
    Milter.macros.data Milter.macros.eoh Milter.macros.eom
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
    "AllowBogusHELO": "a malformed name at HELO is refused",
    "AuthMaxBits": "AUTH asks for no encryption of its own",
    "AuthMechanisms": "PLAIN and LOGIN are offered, under TLS",
    "AuthOptions": "PLAIN and LOGIN are offered, under TLS",
    "AuthRealm": "there is no realm",
    "BadRcptShutdown": "a client is slowed down, and not disconnected",
    "BadRcptShutdownGood": "a client is slowed down, and not disconnected",
    "BadRcptThrottle": "a client is slowed down from the 20th refused recipient on",
    "CACertFile": "clients' certificates are not asked for",
    "CACertPath": "clients' certificates are not asked for",
    "CRLFile": "certificates are not checked",
    "CRLPath": "certificates are not checked",
    "CertFingerprintAlgorithm": "certificates are not checked",
    "CipherList": "Python's default ciphers are used",
    "ClientCertFile": "other servers are not shown a certificate",
    "ClientKeyFile": "other servers are not shown a certificate",
    "ClientPortOptions": "connections are made from any address",
    "ClientSSLOptions": "mail is sent without TLS",
    "ConnectOnlyTo": "mail goes to its own hosts",
    "ConnectionRateThrottle": "connections are not counted by second",
    "ConnectionRateWindowSize": "connections are not counted by time",
    "DANE": "TLSA records are not looked up",
    "DHParameters": "OpenSSL chooses them",
    "DefaultAuthInfo": "the MTA does not log in at other servers",
    "DefaultCharSet": "messages are not converted",
    "DelayLA": "the load does not count",
    "DeliverByMin": "DELIVERBY is not offered",
    "DeliveryMode": "mail is delivered as soon as it is accepted",
    "DialDelay": "a failed connection is tried with the next attempt",
    "DontProbeInterfaces": "names of the interfaces are not local",
    "DoubleBounceAddress": "the postmaster gets what cannot be returned",
    "EightBitMode": "8-bit mail is passed on as it is",
    "ErrorHeader": "reports begin without it",
    "FallbackMXhost": "there is no further host",
    "FallbackSmartHost": "there is no further host",
    "HoldExpensive": "mail for expensive mailers is delivered at once",
    "MatchGECOS": "full names are not looked up",
    "MaxHeadersLength": "the size of the whole message is limited",
    "MaxMimeHeaderLength": "fields keep their length",
    "MaxNOOPCommands": "a client is slowed down after 20",
    "MaxQueueAge": "the time between attempts is an hour at most",
    "MeToo": "the sender of a list gets a copy",
    "MinFreeBlocks": "free space on the disk is not checked",
    "PostmasterCopy": "nobody gets copies of reports",
    "QueueLA": "the load does not count",
    "RefuseLA": "the load does not count",
    "RejectLogInterval": "each refusal is logged",
    "RejectNUL": "NUL is passed on",
    "RrtImpliesDsn": "Return-Receipt-To asks for nothing",
    "SafeFileEnvironment": "files of aliases may be anywhere",
    "SSLEngine": "there is no engine",
    "SSLEnginePath": "there is no engine",
    "SaveFromLine": "a From line at the top is a part of the text",
    "SendMimeErrors": "reports are MIME messages",
    "ServerSSLOptions": "Python's default options are used",
    "SetCertAltnames": "certificates are not checked",
    "SevenBitInput": "the eighth bit stays",
    "SingleLineFromHeader": "fields are kept as they are",
    "SmtpUTF8": "SMTPUTF8 is not offered",
    "SoftBounce": "refusals are permanent",
    "SuperSafe": "mail is on disk before it is accepted",
    "TLSFallbacktoClear": "mail is sent without TLS",
    "TLSSrvOptions": "clients' certificates are not asked for",
    "TryNullMXList": "a host whose best MX this one is gets its mail by MX",
    "UseCompressedIPv6Addresses": "IPv6 addresses are written as Python does",
    "UserDatabaseSpec": "there is no user database",
}
"""Options that sendmail obeys and this MTA does not, and what it does."""

AS_ELSEWHERE = {
    "AllowBogusHELO": ("false",),
    "BadRcptThrottle": ("20",),
    "DelayLA": ("0",),
    "DeliveryMode": ("background", "b", "interactive", "i"),
    "DontProbeInterfaces": ("true",),
    "DoubleBounceAddress": ("postmaster",),
    "EightBitMode": ("pass8", "p"),
    "HoldExpensive": ("false",),
    "MatchGECOS": ("false",),
    "MaxNOOPCommands": ("20",),
    "MeToo": ("true",),
    "RejectNUL": ("false",),
    "RrtImpliesDsn": ("false",),
    "SaveFromLine": ("false",),
    "SendMimeErrors": ("true",),
    "SevenBitInput": ("false",),
    "SingleLineFromHeader": ("false",),
    "SoftBounce": ("false",),
    "SuperSafe": ("true", "postmilter", "p", "m", "interactive", "i"),
    "TryNullMXList": ("false",),
}
"""Values with which an option of that table asks for what the MTA does anyway, in lower case."""

TIMEOUTS = "this MTA has limits of its own"
"""Of `O Timeout.…` that are not carried out."""

DAEMON_KEYS = {
    "C": "connections are not counted by address to listen on",
    "D": "mail is delivered as soon as it is accepted",
    "L": "the length of the kernel's queue stays",
    "M": "modifiers are not carried out",
    "R": "the size of the buffer stays",
    "S": "the size of the buffer stays",
    "d": "the load does not count",
    "q": "the load does not count",
    "r": "the load does not count",
}
"""Equates of DaemonPortOptions that are not carried out: A, F, I, N and P are."""

PRIVACY = {
    "needexpnhelo": "EXPN does not ask for HELO",
    "needvrfyhelo": "VRFY does not ask for HELO",
    "nobodyreturn": "reports have the header of the message, or all of it",
    "noreceipts": "there are no reports of success",
}
"""Flags of PrivacyOptions that are not carried out; those that restrict programs are not here."""

EQUATES = {
    "/": "the program runs in the whole file system",
    "C": "messages are not converted",
    "N": "nice values stay as they are",
    "Q": "there is one queue",
    "W": "a program may take 600 s",
}
"""Equates of mailers that are not carried out, if they have a value."""

FLAGS = {
    "3": "messages are not converted",
    "K": "the loop check has no exception",
    "R": "connections come from any port",
    "U": "the From line is not that of UUCP",
    "x": "no Full-Name is added",
    "z": "LMTP is not spoken",
    "%": "mail is sent as to other mailers",
}
"""Flags of mailers that ask for something the MTA does not do. All others are carried out, ask for
what it does anyway, or concern what it does not have."""
