-- only: mariadb
SET GLOBAL mysql56_temporal_format = OFF;
CREATE TABLE t (id INT PRIMARY KEY, a DATETIME);
INSERT INTO t VALUES (1, '2020-01-01');
!! TABLE_MAP: table golden.t: a TIME, DATETIME or TIMESTAMP of MariaDB before 10.1, of which the log does not tell the width (ALTER TABLE … FORCE
SET GLOBAL mysql56_temporal_format = ON;
