-- Version 3, on top of v1.sql: what its steps did, and a row of what they made.

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
-- Version 3: plans and blueprints, snapshots of a system disk alone, resources that a command made.

ALTER TABLE account ADD COLUMN plan TEXT;               -- {"name", "vcpus", "memory", "disk"}
ALTER TABLE account ADD COLUMN blueprint TEXT;
-- Declared by a file of heptad's own, because a command made it, and not by a person's.
ALTER TABLE account ADD COLUMN enrolled INTEGER NOT NULL DEFAULT 0 CHECK (enrolled IN (0, 1));

-- What is made from it; that of the account, but for a system disk alone.
ALTER TABLE snapshot ADD COLUMN kind TEXT NOT NULL DEFAULT 'disk';
ALTER TABLE snapshot ADD COLUMN part TEXT NOT NULL DEFAULT 'whole';     -- whole, system-disk
ALTER TABLE snapshot ADD COLUMN plan TEXT;              -- the account's when it was taken
ALTER TABLE snapshot ADD COLUMN blueprint TEXT;

UPDATE snapshot SET kind =
    ifnull((SELECT kind FROM account WHERE account.resource = snapshot.resource), 'disk');

UPDATE host SET usage_until_ns = 3600000000000;
INSERT INTO usage (day, resource, byte_hours, stored, exclusive)
    VALUES ('2026-11-21', 'web-1', 48000000000, 5000000000, 2000000000);
PRAGMA user_version = 3;
