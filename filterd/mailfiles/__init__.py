"""Reading stored mail: files, mbox, Maildir, archives, labelled collections."""
