CREATE TABLE people (name text PRIMARY KEY, born integer);
INSERT INTO people VALUES ('Ada Lovelace', 1815), ('Grace Hopper', 1906);
