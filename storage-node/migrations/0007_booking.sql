-- How rooms and equipment answer for themselves.

-- The rules (kontor.storage.v1.Booking); unset = those of a new room.
ALTER TABLE account ADD COLUMN booking bytea;
-- How many people it holds, 0 = nobody said; and where it is, for people.
ALTER TABLE account ADD COLUMN capacity integer NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN location text NOT NULL DEFAULT '';
