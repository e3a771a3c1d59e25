-- Version 6: what a snapshot's own files tell of it beyond its content.

ALTER TABLE snapshot ADD COLUMN told TEXT;      -- {"engine", "version", "proven_at", "proven_by"}
