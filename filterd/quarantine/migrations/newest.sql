CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE messages (
	id VARCHAR(64) NOT NULL, 
	received FLOAT NOT NULL, 
	size BIGINT NOT NULL, 
	sender TEXT NOT NULL, 
	recipients TEXT NOT NULL, 
	client_address TEXT NOT NULL, 
	queue_id TEXT NOT NULL, 
	message_id TEXT NOT NULL, 
	header_from TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	action VARCHAR(16) NOT NULL, 
	score FLOAT NOT NULL, 
	symbols TEXT NOT NULL, 
	virus TEXT NOT NULL, 
	path TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	pinned BOOLEAN NOT NULL, 
	words TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX messages_counted ON messages (reason, state, size);
CREATE INDEX messages_by_state ON messages (state, received, id);
CREATE INDEX messages_by_reason ON messages (reason, received, id);
CREATE TABLE deliveries (
	id VARCHAR(64) NOT NULL, 
	recipient TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	changed FLOAT NOT NULL, 
	reply TEXT NOT NULL, 
	queue_id TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	again_at FLOAT NOT NULL, 
	form VARCHAR(16) NOT NULL, asked FLOAT DEFAULT '0' NOT NULL, refused FLOAT DEFAULT '0' NOT NULL, dismissed FLOAT DEFAULT '0' NOT NULL, request_note TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id, recipient)
);
CREATE INDEX deliveries_by_state ON deliveries (state, again_at);
CREATE TABLE digests (
	recipient TEXT NOT NULL, 
	told FLOAT NOT NULL, 
	claimed FLOAT NOT NULL, 
	PRIMARY KEY (recipient)
);
CREATE INDEX messages_newest ON messages (received, id, words);
CREATE INDEX messages_by_score ON messages (score, id, state, reason);
CREATE INDEX messages_by_size ON messages (size, id, state, reason);
CREATE INDEX messages_by_sender ON messages (substr(lower(sender), 1, 100), id, state, reason);
CREATE TABLE seen (
	id VARCHAR(64) NOT NULL, 
	reviewer VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id, reviewer)
);
CREATE INDEX deliveries_asked ON deliveries (asked);
INSERT INTO alembic_version VALUES ('0005');
