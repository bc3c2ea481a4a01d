CREATE TABLE state_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT state_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE state_entry (
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	first DOUBLE NOT NULL, 
	last DOUBLE NOT NULL, 
	count BIGINT NOT NULL, 
	expires DOUBLE NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (kind, name)
)
 WITHOUT ROWID

;
CREATE INDEX state_entry_expires ON state_entry (expires);
CREATE TABLE state_count (
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	seconds INTEGER NOT NULL, 
	slot BIGINT NOT NULL, 
	latest DOUBLE NOT NULL, 
	former DOUBLE NOT NULL, 
	expires DOUBLE NOT NULL, 
	PRIMARY KEY (kind, name, seconds)
)
 WITHOUT ROWID

;
CREATE INDEX state_count_expires ON state_count (expires);
INSERT INTO state_version VALUES ('0001');
