"""One module a migration; `filterd.history.schema.SCHEMA` names them."""
