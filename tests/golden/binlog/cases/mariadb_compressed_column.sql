-- only: mariadb
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(50) COMPRESSED);
INSERT INTO t VALUES (1, 'a');
!! TABLE_MAP: table golden.t: column type 141 is not supported (ALTER TABLE … MODIFY the column without COMPRESSED
