"""The filters that come with filterd. Each is found by its entry point, as a site's own are."""
