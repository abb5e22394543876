SET GLOBAL binlog_row_metadata = MINIMAL;
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(5));
INSERT INTO t VALUES (1, 'a');
!! TABLE_MAP: table golden.t: the log does not name its columns, and the schema log does not know them
SET GLOBAL binlog_row_metadata = FULL;
