-- only: mysql
CREATE TABLE t (id INT PRIMARY KEY);
INSERT INTO t VALUES (1);
-> c {"id": 1}
SET SESSION binlog_transaction_compression = ON;
INSERT INTO t VALUES (2);
-> c {"id": 2}
