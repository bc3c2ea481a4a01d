"""Looking for what is wrong: each check gives findings, and a trouble comes with what to do.

Only looked at, nothing changed or sent: folders, sockets, servers, the model, the store. What the
daemon would make itself when it starts (its folders) may be missing.
"""
