-- only: mysql
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1, '{"a": "a long string to begin with", "b": 2}');
-> c {"id": 1, "j": "{\"a\":\"a long string to begin with\",\"b\":2}"}
SET SESSION binlog_row_value_options = 'PARTIAL_JSON';
UPDATE t SET j = JSON_SET(j, '$.a', 'short');
-> u {"id": 1, "j": "{\"a\":\"a long string to begin with\",\"b\":2}"} => {"id": 1, "j": "{\"a\":\"short\",\"b\":2}"}
