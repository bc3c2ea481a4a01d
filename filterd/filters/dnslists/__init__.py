"""DNS lists of addresses and domains: settings, what is asked, what answers mean, the filter."""
