-- Version 9, on top of v8.sql: what its step did.

-- Version 9: the disks that an instance's snapshot has.

-- snapshot.told is also {..., "disks": [[NAME, FILE, BYTES], ...]} from now on,
-- and operation.parameters of a create {..., "disks": {DISK: NAME}}.

PRAGMA user_version = 9;
