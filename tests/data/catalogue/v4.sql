-- Version 4, on top of v3.sql: what its step did.

-- Version 4: what all snapshots of a resource occupy together.

ALTER TABLE account ADD COLUMN occupied TEXT;   -- {"bytes", "exact", "count", "newest"}
ALTER TABLE usage ADD COLUMN occupied INTEGER;  -- as last seen that day

PRAGMA user_version = 4;
