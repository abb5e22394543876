CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT);
INSERT INTO t VALUES (1, 2, 3);
-> c {"id": 1, "a": 2, "b": 3}
SET SESSION binlog_row_image = MINIMAL;
UPDATE t SET b = 4;
!! UPDATE_ROWS
!! rows of golden.t: the row image is not full (SET GLOBAL binlog_row_image=FULL
