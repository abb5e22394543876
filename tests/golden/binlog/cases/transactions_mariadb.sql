-- only: mariadb
CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB;
BEGIN;
INSERT INTO t VALUES (1);
-> c {"id": 1}
COMMIT;
XA START 'global', 'branch', 7;
INSERT INTO t VALUES (4);
-> c {"id": 4}
XA END 'global', 'branch', 7;
XA PREPARE 'global', 'branch', 7;
XA COMMIT 'global', 'branch', 7;
SET @x = 5;
SET SESSION binlog_format = STATEMENT;
UPDATE t SET id = @x WHERE id = 4;
SET SESSION binlog_format = ROW;
FLUSH BINARY LOGS;
