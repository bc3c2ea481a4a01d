"""One module a migration; `filterd.bayes.site.schema.SCHEMA` names them."""
