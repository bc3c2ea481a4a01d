"""The daemon: libmilter's edge, the worker pool, control. The only room that imports pymilter."""
