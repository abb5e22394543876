-- Files under either checksum, one after the other in one dump.
CREATE TABLE sums (id TINYINT PRIMARY KEY);
INSERT INTO sums VALUES (1), (2), (3);
-> c {"id": 1}
-> c {"id": 2}
-> c {"id": 3}
SET GLOBAL binlog_checksum = NONE;
INSERT INTO sums VALUES (11), (12), (13), (14), (15);
-> c {"id": 11}
-> c {"id": 12}
-> c {"id": 13}
-> c {"id": 14}
-> c {"id": 15}
SET GLOBAL binlog_checksum = CRC32;
INSERT INTO sums VALUES (21), (22);
-> c {"id": 21}
-> c {"id": 22}
