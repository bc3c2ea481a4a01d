"""One module a migration; `filterd.state.schema` names them."""
