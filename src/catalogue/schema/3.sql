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
