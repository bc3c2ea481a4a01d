"""Local lists of networks, domains, addresses, regular expressions: files, levels, the filter."""
