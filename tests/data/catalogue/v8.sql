-- Version 8, on top of v7.sql: what its step did.

-- Version 8: tags that commands changed.

-- {KEY: VALUE or null}, on top of the configuration's. NULL: none.
ALTER TABLE account ADD COLUMN wish_tags TEXT;
-- {KEY: VALUE}: all that it has. NULL: those that it was taken with.
ALTER TABLE snapshot ADD COLUMN retagged TEXT;

PRAGMA user_version = 8;
