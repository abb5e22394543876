-- only: mysql
CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB;
SET SESSION binlog_rows_query_log_events = ON;
BEGIN;
INSERT INTO t VALUES (1);
-> c {"id": 1}
SAVEPOINT s;
INSERT INTO t VALUES (2);
ROLLBACK TO SAVEPOINT s;
COMMIT;
SET SESSION binlog_rows_query_log_events = OFF;
SET gtid_next = 'AUTOMATIC:blue';
INSERT INTO t VALUES (3);
-> c {"id": 3}
SET gtid_next = 'AUTOMATIC';
XA START 'global', 'branch', 7;
INSERT INTO t VALUES (4);
-> c {"id": 4}
XA END 'global', 'branch', 7;
XA PREPARE 'global', 'branch', 7;
XA COMMIT 'global', 'branch', 7;
XA START 'one';
INSERT INTO t VALUES (5);
-> c {"id": 5}
XA END 'one';
XA COMMIT 'one' ONE PHASE;
FLUSH BINARY LOGS;
