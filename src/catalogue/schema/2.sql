-- Version 2: what snapshots occupy over time, for the fee.

-- How long heptad had run when usage was last counted; NULL before the first count, so that a
-- catalogue from before it begins at nothing.
ALTER TABLE host ADD COLUMN usage_until_ns INTEGER;

-- One row per resource and UTC day with snapshots. It outlives its resource: what was held has to
-- be paid for. The newest 400 days stay.
CREATE TABLE usage (
    day             TEXT NOT NULL,
    resource        TEXT NOT NULL,
    byte_hours      INTEGER NOT NULL,   -- billed bytes times hours of running time
    stored          INTEGER,            -- as last seen that day
    exclusive       INTEGER,
    PRIMARY KEY (day, resource)
) STRICT, WITHOUT ROWID;
