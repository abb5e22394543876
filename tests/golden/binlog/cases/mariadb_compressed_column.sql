-- only: mariadb
-- COMPRESSED columns: a header, and what zlib made of the bytes if that is shorter than they were.
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(50) COMPRESSED, b TEXT CHARACTER SET utf16 COMPRESSED, c BLOB COMPRESSED, d VARBINARY(300) COMPRESSED);
INSERT INTO t VALUES (1, 'a', REPEAT('é', 200), 0xCAFEBABE, ''), (2, NULL, NULL, NULL, NULL);
-> c {"id": 1, "a": "a", "b": "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé", "c": "yv66vg==", "d": ""}
-> c {"id": 2, "a": null, "b": null, "c": null, "d": null}
