-- Version 10: what rotation leaves alone after a rhythm became much denser.

-- {"seq", "reach_ns", "calm"}. NULL: nothing.
ALTER TABLE account ADD COLUMN held TEXT;
-- snapshot.fate is also doomed-trashed, doomed-unmarked or doomed-rotated from now on: who threw it
-- into the trash that is being emptied of it.
