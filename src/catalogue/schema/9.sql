-- Version 9: the disks that an instance's snapshot has.

-- snapshot.told is also {..., "disks": [[NAME, FILE, BYTES], ...]} from now on,
-- and operation.parameters of a create {..., "disks": {DISK: NAME}}.
