"""The options, in sendmail's order, and map types of 8.17. Source: OptionTab in `readcf.c`."""

from __future__ import annotations

OPTION_ORDER = tuple(
    """
    SevenBitInput EightBitMode AliasFile AliasWait BlankSub MinFreeBlocks CheckpointInterval
    HoldExpensive DeliveryMode ErrorHeader ErrorMode TempFileMode SaveFromLine MatchGECOS HelpFile
    MaxHopCount ResolverOptions IgnoreDots ForwardPath SendMimeErrors ConnectionCacheSize
    ConnectionCacheTimeout UseErrorsTo LogLevel MeToo CheckAliases OldStyleHeaders
    DaemonPortOptions PrivacyOptions PostmasterCopy QueueFactor QueueDirectory DontPruneRoutes
    Timeout StatusFile SuperSafe QueueTimeout TimeZoneSpec UserDatabaseSpec DefaultUser
    FallbackMXhost Verbose TryNullMXList QueueLA RefuseLA RecipientFactor ForkEachJob ClassFactor
    RetryFactor QueueSortOrder HostsFile MinQueueAge DefaultCharSet ServiceSwitchFile DialDelay
    NoRecipientAction SafeFileEnvironment MaxMessageSize ColonOkInAddr MaxQueueRunSize
    MaxDaemonChildren DontExpandCnames MustQuoteChars SmtpGreetingMessage UnixFromLine
    OperatorChars DontInitGroups SingleLineFromHeader AllowBogusHELO ConnectionRateThrottle
    UnsafeGroupWrites DoubleBounceAddress HostStatusDirectory SingleThreadDelivery RunAsUser
    RrtImpliesDsn PidFile DontBlameSendmail DontProbeInterfaces MaxRecipientsPerMessage
    DeadLetterDrop MaxAliasRecursion ConnectOnlyTo TrustedUser MaxMimeHeaderLength
    ControlSocketName MaxHeadersLength ProcessTitlePrefix DefaultAuthInfo AuthMechanisms
    ClientPortOptions DataFileBufferSize XscriptFileBufferSize LDAPDefaultSpec ServerCertFile
    ServerKeyFile ClientCertFile ClientKeyFile CACertFile CACertPath DHParameters InputMailFilters
    Milter AuthOptions QueueFileMode CertFingerprintAlgorithm CipherList RandFile TLSSrvOptions
    BadRcptThrottle DeliverByMin MaxQueueChildren MaxRunnersPerQueue DirectSubmissionModifiers
    NiceQueueRun SharedMemoryKey AuthMaxBits MailboxDatabase UseMSP DelayLA FastSplit SoftBounce
    SharedMemoryKeyFile RejectLogInterval RequiresDirfsync ConnectionRateWindowSize CRLFile
    FallbackSmartHost AuthRealm CRLPath HeloName MaxNOOPCommands BadRcptShutdown
    BadRcptShutdownGood ServerSSLOptions ClientSSLOptions MaxQueueAge RejectNUL
    UseCompressedIPv6Addresses SSLEngine SSLEnginePath TLSFallbacktoClear SetCertAltnames SmtpUTF8
    """.split()
)

OPTIONS = frozenset(OPTION_ORDER)

BY_LETTER = {
    "7": "SevenBitInput",
    "8": "EightBitMode",
    "A": "AliasFile",
    "a": "AliasWait",
    "B": "BlankSub",
    "b": "MinFreeBlocks",
    "C": "CheckpointInterval",
    "c": "HoldExpensive",
    "d": "DeliveryMode",
    "E": "ErrorHeader",
    "e": "ErrorMode",
    "F": "TempFileMode",
    "f": "SaveFromLine",
    "G": "MatchGECOS",
    "H": "HelpFile",
    "h": "MaxHopCount",
    "I": "ResolverOptions",
    "i": "IgnoreDots",
    "J": "ForwardPath",
    "j": "SendMimeErrors",
    "k": "ConnectionCacheSize",
    "K": "ConnectionCacheTimeout",
    "L": "LogLevel",
    "l": "UseErrorsTo",
    "m": "MeToo",
    "n": "CheckAliases",
    "O": "DaemonPortOptions",
    "o": "OldStyleHeaders",
    "P": "PostmasterCopy",
    "p": "PrivacyOptions",
    "Q": "QueueDirectory",
    "q": "QueueFactor",
    "R": "DontPruneRoutes",
    "r": "Timeout",
    "S": "StatusFile",
    "s": "SuperSafe",
    "T": "QueueTimeout",
    "t": "TimeZoneSpec",
    "U": "UserDatabaseSpec",
    "u": "DefaultUser",
    "V": "FallbackMXhost",
    "v": "Verbose",
    "w": "TryNullMXList",
    "X": "RefuseLA",
    "x": "QueueLA",
    "Y": "ForkEachJob",
    "y": "RecipientFactor",
    "Z": "RetryFactor",
    "z": "ClassFactor",
}
"""Old options of one letter, `OQ/var/spool/mqueue`."""

MAP_TYPES = frozenset(
    """
    host dns bestmx hash btree cdb ldap nis nisplus text stab implicit user userdb regex program
    sequence null syslog switch macro arith arpa dequote socket
    """.split()
)
"""Map classes of Debian's sendmail, and cdb, which other builds have."""
