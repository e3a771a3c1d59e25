-- Version 6, on top of v5.sql: what its step did.

-- Version 6: what a snapshot's own files tell of it beyond its content.

ALTER TABLE snapshot ADD COLUMN told TEXT;      -- {"engine", "version", "proven_at", "proven_by"}

PRAGMA user_version = 6;
