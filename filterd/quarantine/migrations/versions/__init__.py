"""One module a migration; `filterd.quarantine.schema.HEAD` names the newest."""
