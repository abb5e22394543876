-- only: mysql
-- The hidden columns behind functional and multi-valued indexes are not in the log; a generated primary key is.
CREATE TABLE indexed (id INT PRIMARY KEY, j JSON, n INT, INDEX ((CAST(j->'$.tags' AS CHAR(10) ARRAY))), INDEX ((n + 1)));
INSERT INTO indexed VALUES (1, '{"tags": ["a", "b"]}', 5);
-> c {"id": 1, "j": "{\"tags\":[\"a\",\"b\"]}", "n": 5}
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE without_key (v INT);
INSERT INTO without_key VALUES (7);
-> c {"my_row_id": 1, "v": 7}
