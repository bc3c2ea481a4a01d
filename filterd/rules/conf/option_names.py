"""Which options SpamAssassin's configuration has besides rules: by plugin, with what they expect.

Source: Mail::SpamAssassin::Conf(3) and the manual pages of the plugins, SpamAssassin 4.0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class OptionName:
    """One option. plugin: the one that it belongs to, without what all their names begin with; ""
    for SpamAssassin itself. expects: `number`, `flag`, `duration`, `text` (not empty), `key` (a
    name and more text), `nothing` or `free`. used: False for what filterd has other settings for.
    """

    name: str
    plugin: str
    expects: str
    used: bool


# Plugin → lines that begin with whether filterd uses the options, and what these expect.
_TABLE = {
    "": """
        used text welcomelist_from unwelcomelist_from welcomelist_from_rcvd
            def_welcomelist_from_rcvd welcomelist_allows_relays unwelcomelist_from_rcvd
            blocklist_from unblocklist_from welcomelist_to more_spam_to all_spam_to blocklist_to
            welcomelist_auth def_welcomelist_auth unwelcomelist_auth enlist_uri_host
            delist_uri_host enlist_addrlist blocklist_uri_host welcomelist_uri_host ok_locales
            trusted_networks internal_networks msa_networks originating_ip_headers
            dns_query_restriction envelope_sender_header redirector_pattern util_rb_tld
            util_rb_2tld util_rb_3tld
        used number body_part_scan_size rawbody_part_scan_size
        used nothing clear_trusted_networks clear_internal_networks clear_msa_networks
            clear_originating_ip_headers clear_dns_query_restriction clear_util_rb
        used flag always_trust_envelope_sender skip_rbl_checks parse_dkim_uris
        ignored text remove_header report_safe dns_available dns_server dns_local_ports_permit
            dns_local_ports_avoid dns_options dns_block_rule bayes_token_sources
            bayes_ignore_header bayes_ignore_from bayes_ignore_to bayes_sql_override_username
            lock_method report_safe_copy_headers report_charset report_contact report_hostname
            mbox_format_from_regex allow_user_rules reuse version_tag rbl_timeout bayes_path
            bayes_file_mode bayes_store_module bayes_sql_dsn bayes_sql_username
            bayes_sql_password user_scores_dsn user_scores_sql_username user_scores_sql_password
            user_scores_sql_custom_query user_scores_ldap_username user_scores_ldap_password
            geodb_module country_db_type geodb_options geodb_search_path country_db_path
            uri_country_db_path uri_country_db_isp_path
        ignored number required_score report_wrap_width dns_block_time bayes_min_ham_num
            bayes_min_spam_num bayes_journal_max_size bayes_expiry_max_db_size
        ignored nothing clear_headers clear_dns_servers dns_local_ports_none
            clear_report_template clear_unsafe_report_template
        ignored key subjprefix
        ignored free rewrite_header add_header report unsafe_report test
        ignored flag normalize_charset use_learner use_bayes use_bayes_rules bayes_auto_learn
            bayes_learn_during_report bayes_use_hapaxes bayes_auto_expire bayes_learn_to_journal
            fold_headers bayes_sql_username_authorized user_scores_fallback_to_global
            ignore_always_matching_regexps
        ignored duration dns_test_interval bayes_token_ttl bayes_seen_ttl time_limit
    """,
    "ASN": """
        used text asn_lookup asn_lookup_ipv6
        used nothing clear_asn_lookups
        used free asn_prefix
        used flag asn_use_geodb asn_prefer_geodb asn_use_dns
    """,
    "AWL": """
        ignored text user_awl_sql_override_username auto_welcomelist_factory
            auto_welcomelist_path auto_welcomelist_db_modules auto_welcomelist_file_mode
            user_awl_dsn user_awl_sql_username user_awl_sql_password user_awl_sql_table
        ignored number auto_welcomelist_factor auto_welcomelist_ipv4_mask_len
            auto_welcomelist_ipv6_mask_len
        ignored flag use_auto_welcomelist auto_welcomelist_distinguish_signed
    """,
    "AuthRes": """
        used text authres_networks authres_trusted_authserv authres_ignored_authserv
    """,
    "AutoLearnThreshold": """
        ignored number bayes_auto_learn_threshold_nonspam bayes_auto_learn_threshold_spam
        ignored flag bayes_auto_learn_on_error
    """,
    "Bayes": """
        ignored text bayes_stopword_languages
        ignored number bayes_max_token_length
    """,
    "DCC": """
        ignored text dcc_home dcc_dccifd_path dcc_path dcc_options dccifd_options
        ignored number dcc_body_max dcc_fuz1_max dcc_fuz2_max dcc_rep_percent dcc_learn_score
        ignored flag use_dcc use_dcc_rep
        ignored duration dcc_timeout
    """,
    "DKIM": """
        used text welcomelist_from_dkim def_welcomelist_from_dkim unwelcomelist_from_dkim
            adsp_override
        used number dkim_minimum_key_bits
        ignored duration dkim_timeout
    """,
    "DMARC": """
        ignored flag dmarc_save_reports
    """,
    "DNSEval": """
        used text rbl_headers
    """,
    "DecodeShortURLs": """
        used text url_shortener url_shortener_get
        used free clear_url_shortener
        ignored text url_shortener_custom_user_agent url_shortener_cache_type
            url_shortener_cache_dsn url_shortener_cache_username url_shortener_cache_password
            url_shortener_user_agent
        ignored number url_shortener_cache_ttl url_shortener_cache_autoclean
            url_shortener_timeout max_short_urls max_short_url_redirections
        ignored flag url_shortener_loginfo
    """,
    "ExtractText": """
        ignored number extracttext_maxparts extracttext_timeout
        ignored free extracttext_use extracttext_external
    """,
    "FreeMail": """
        used number freemail_max_body_emails freemail_max_body_freemails
            freemail_skip_when_over_max freemail_skip_bulk_envfrom freemail_add_describe_email
            freemail_import_welcomelist_auth freemail_import_def_welcomelist_auth
        used free freemail_domains freemail_welcomelist
    """,
    "FromNameSpoof": """
        used text fns_add_addrlist fns_remove_addrlist fns_ignore_dkim fns_ignore_headers
            fns_check
        used number fns_extrachars
    """,
    "HashBL": """
        used text hashbl_ignore hashbl_email_domain_alias hashbl_email_regex
            hashbl_email_welcomelist
    """,
    "OLEVBMacro": """
        used text olemacro_exts olemacro_macro_exts olemacro_skip_exts olemacro_skip_ctypes
            olemacro_zips olemacro_download_marker
        used number olemacro_num_mime olemacro_num_zip olemacro_zip_depth olemacro_max_file
        used flag olemacro_extended_scan olemacro_prefer_contentdisposition
    """,
    "PhishTag": """
        ignored text trigger_config
        ignored number trigger_ratio
        ignored key trigger_target
    """,
    "Phishing": """
        ignored text phishing_openphish_feed phishing_phishtank_feed phishing_phishstats_feed
        ignored number phishing_phishstats_minscore
        ignored flag phishing_uri_noparam
    """,
    "Pyzor": """
        ignored text pyzor_max pyzor_options pyzor_path pyzor_server_file
        ignored number pyzor_count_min pyzor_welcomelist_min pyzor_welcomelist_factor pyzor_fork
            pyzor_perl
        ignored flag use_pyzor
        ignored duration pyzor_timeout
    """,
    "Razor2": """
        ignored text razor_config
        ignored number use_razor2 razor_fork
        ignored duration razor_timeout
    """,
    "Redirectors": """
        used text url_redirector url_redirector_get url_redirector_params
        used free clear_url_redirector
        ignored text url_redirector_cache_type url_redirector_cache_dsn
            url_redirector_cache_username url_redirector_cache_password
            url_redirector_user_agent
        ignored number url_redirector_cache_ttl url_redirector_cache_autoclean
            url_redirector_timeout max_redir_urls max_redir_url_redirections
        ignored flag url_redirector_loginfo
    """,
    "ResourceLimits": """
        ignored number resource_limit_mem resource_limit_cpu
    """,
    "Reuse": """
        ignored text reuse
        ignored flag run_reuse_tests_only
    """,
    "SPF": """
        used text welcomelist_from_spf def_welcomelist_from_spf unwelcomelist_from_spf
        ignored flag ignore_received_spf_header use_newest_received_spf_header
            do_not_use_mail_spf do_not_use_mail_spf_query
        ignored duration spf_timeout
    """,
    "Shortcircuit": """
        used text shortcircuit
        used number shortcircuit_spam_score shortcircuit_ham_score shortcircuit_min_ham_score
            shortcircuit_max_spam_score
    """,
    "SpamCop": """
        ignored text spamcop_from_address spamcop_to_address spamcop_relayhost
        ignored number spamcop_max_report_size
    """,
    "TextCat": """
        used text ok_languages inactive_languages
        used number textcat_max_languages textcat_optimal_ngrams textcat_max_ngrams
            textcat_acceptable_score
    """,
    "TxRep": """
        ignored text user_awl_sql_override_username txrep_user2global_ratio txrep_factory
            auto_welcomelist_path auto_welcomelist_db_modules auto_welcomelist_file_mode
            user_awl_dsn user_awl_sql_username user_awl_sql_password user_awl_sql_table
        ignored number txrep_factor txrep_dilution_factor txrep_expiry_days txrep_learn_penalty
            txrep_learn_bonus txrep_autolearn txrep_welcomelist_out txrep_ipv4_mask_len
            txrep_ipv6_mask_len txrep_weight_email txrep_weight_email_ip txrep_weight_domain
            txrep_weight_ip txrep_weight_helo txrep_report_details
        ignored flag use_txrep txrep_track_messages auto_welcomelist_distinguish_signed
            txrep_spf
    """,
    "URIDNSBL": """
        used text uridnsbl uridnssub urirhsbl urirhssub urinsrhsbl urinsrhssub urifullnsrhsbl
            urifullnsrhssub uridnsbl_skip_domain
        used number uridnsbl_max_domains
        used free clear_uridnsbl_skip_domain
        used flag skip_uribl_checks uridnsbl_skip_mailto
        ignored free uridnsbl_timeout
    """,
    "URILocalBL": """
        used text uri_block_cc uri_block_cont uri_block_isp uri_block_cidr uri_block_exclude
    """,
    "VBounce": """
        used text welcomelist_bounce_relays
    """,
    "WelcomeListSubject": """
        used text welcomelist_subject blocklist_subject
    """,
}

PATTERNED = ("bayes_stopword_", "hashbl_acl_")
"""Options whose names go on: with a language, with the name of a list."""

_OTHER_NAMES = {
    "required_hits": "required_score",
    "clear_dns_query_restrictions": "clear_dns_query_restriction",
}


def _read() -> dict[str, OptionName]:
    found: dict[str, OptionName] = {}
    for plugin, text in _TABLE.items():
        used, expects = True, ""
        for word in text.split():
            if word in ("used", "ignored"):
                used, expects = word == "used", ""
            elif not expects:
                expects = word
            else:
                found.setdefault(word, OptionName(word, plugin, expects, used))
    return found


OPTIONS = MappingProxyType(_read())
"""All options, by name."""


def option_name(key: str) -> OptionName | None:
    """The option that a line begins with, also by one of its old names."""
    name = _OTHER_NAMES.get(key) or key.replace("whitelist", "welcomelist").replace(
        "blacklist", "blocklist"
    )
    if name.startswith("bayes_stopword_") and len(name) == len("bayes_stopword_") + 2:
        return OptionName(name, "Bayes", "text", used=False)
    if name.startswith("hashbl_acl_"):
        return OptionName(name, "HashBL", "text", used=True)
    return OPTIONS.get(name)
