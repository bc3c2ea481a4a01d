CREATE TABLE journal_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT journal_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE meta (
	name TEXT, 
	value INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE batch (
	id INTEGER, 
	started TEXT NOT NULL, 
	source TEXT NOT NULL, 
	about TEXT NOT NULL, 
	state TEXT NOT NULL CHECK (state IN ('in force', 'undone', 'rolled back', 'an undo')), 
	undone_by INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(undone_by) REFERENCES batch (id)
);
CREATE TABLE automatic (
	day TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	learned INTEGER NOT NULL, 
	PRIMARY KEY (day, sender)
);
CREATE TABLE generation (
	id INTEGER, 
	batch INTEGER NOT NULL, 
	written TEXT NOT NULL, 
	live INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(batch) REFERENCES batch (id)
);
CREATE TABLE lesson (
	id INTEGER, 
	"key" BLOB NOT NULL, 
	spam INTEGER NOT NULL, 
	step REAL NOT NULL, 
	counted INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	time TEXT NOT NULL, 
	batch INTEGER NOT NULL, 
	born INTEGER NOT NULL, 
	died INTEGER, window_start INTEGER, window_end INTEGER, window_step REAL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(batch) REFERENCES batch (id)
);
CREATE INDEX lesson_key ON lesson ("key");
CREATE INDEX lesson_batch ON lesson (batch);
INSERT INTO journal_version VALUES ('0002');
