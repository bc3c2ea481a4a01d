# A message came into Junk: teach it as spam. Compile once with sievec.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];

if environment :matches "imap.user" "*" {
  set "user" "${1}";
}
pipe :copy "filterd-learn" ["spam", "${user}"];
