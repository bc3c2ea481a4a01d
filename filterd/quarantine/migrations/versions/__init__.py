"""One module a migration; `filterd.quarantine.schema.SCHEMA` names them."""
