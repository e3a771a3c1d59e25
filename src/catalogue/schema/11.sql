-- Version 11: what has begun can be asked to stop.

-- The uid of who asked. NULL: nobody.
ALTER TABLE operation ADD COLUMN cancel_asked_by INTEGER;
