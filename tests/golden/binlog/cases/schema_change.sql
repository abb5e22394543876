-- Each row is decoded by the table as it stood when the row was logged, though columns move, go and come back.
CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(10));
INSERT INTO t VALUES (1, 10, 'b');
-> c {"id": 1, "a": 10, "b": "b"}
ALTER TABLE t DROP COLUMN a, ADD COLUMN z INT UNSIGNED FIRST;
INSERT INTO t VALUES (4000000000, 2, 'c');
-> c {"z": 4000000000, "id": 2, "b": "c"}
ALTER TABLE t CHANGE b b VARCHAR(300) CHARACTER SET koi8r, ADD COLUMN a INT;
INSERT INTO t VALUES (1, 3, 'ж', -5);
-> c {"z": 1, "id": 3, "b": "ж", "a": -5}
CREATE TABLE u LIKE t;
INSERT INTO u VALUES (1, 9, 'u', 1);
-> c {"z": 1, "id": 9, "b": "u", "a": 1}
RENAME TABLE t TO old, u TO t;
INSERT INTO t VALUES (1, 8, 'n', 2);
-> c {"z": 1, "id": 8, "b": "n", "a": 2}
TRUNCATE TABLE old;
