CREATE TABLE history_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT history_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE records (
	id TEXT NOT NULL, 
	received REAL NOT NULL, 
	action TEXT NOT NULL, 
	score REAL NOT NULL, 
	recipients TEXT NOT NULL, 
	symbols TEXT NOT NULL, 
	failed TEXT NOT NULL, 
	words TEXT NOT NULL, 
	rest TEXT NOT NULL
);
CREATE INDEX records_newest ON records (received, action);
CREATE INDEX records_by_action ON records (action, received);
CREATE INDEX records_failed ON records (received) WHERE failed <> '';
CREATE INDEX records_searched ON records (received, id, words);
INSERT INTO history_version VALUES ('0002');
PRAGMA user_version = 2;
