-- only: mariadb
SET GLOBAL mysql56_temporal_format = OFF;
CREATE TABLE t (id INT PRIMARY KEY, a DATETIME);
INSERT INTO t VALUES (1, '2020-01-01');
!! TABLE_MAP: table golden.t: column type 12 is not supported (ALTER TABLE … FORCE
SET GLOBAL mysql56_temporal_format = ON;
