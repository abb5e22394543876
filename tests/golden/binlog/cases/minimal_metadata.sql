SET GLOBAL binlog_row_metadata = MINIMAL;
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(5));
INSERT INTO t VALUES (1, 'a');
!! TABLE_MAP: table golden.t: the table's metadata is without column names (SET GLOBAL binlog_row_metadata=FULL
SET GLOBAL binlog_row_metadata = FULL;
