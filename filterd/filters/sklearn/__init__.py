"""A scikit-learn text pipeline of the site's own: settings, the filter."""
