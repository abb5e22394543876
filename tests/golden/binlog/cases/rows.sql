-- Inserts, updates and deletes of many rows; composite keys, keys on prefixes, no key; more than 32 columns.
CREATE TABLE keyed (a INT, b VARCHAR(10) CHARACTER SET ascii, c INT NULL, PRIMARY KEY (b, a));
INSERT INTO keyed VALUES (1, 'x', NULL), (2, 'y', 5), (3, 'z', NULL);
-> c {"a": 1, "b": "x", "c": null}
-> c {"a": 2, "b": "y", "c": 5}
-> c {"a": 3, "b": "z", "c": null}
UPDATE keyed SET c = a * 10 WHERE a < 3 ORDER BY a;
-> u {"a": 1, "b": "x", "c": null} => {"a": 1, "b": "x", "c": 10}
-> u {"a": 2, "b": "y", "c": 5} => {"a": 2, "b": "y", "c": 20}
UPDATE keyed SET a = 9, b = 'moved' WHERE a = 3;
-> u {"a": 3, "b": "z", "c": null} => {"a": 9, "b": "moved", "c": null}
DELETE FROM keyed ORDER BY a;
-> d {"a": 1, "b": "x", "c": 10}
-> d {"a": 2, "b": "y", "c": 20}
-> d {"a": 9, "b": "moved", "c": null}
CREATE TABLE prefixed (t VARCHAR(50) CHARACTER SET ascii, n INT, PRIMARY KEY (t(3)));
INSERT INTO prefixed VALUES ('abcdef', 1);
-> c {"t": "abcdef", "n": 1}
CREATE TABLE keyless (n INT, m INT NOT NULL);
INSERT INTO keyless VALUES (1, 2), (NULL, 3);
-> c {"n": 1, "m": 2}
-> c {"n": null, "m": 3}
CREATE TABLE seven (c1 INT, c2 INT, c3 INT, c4 INT, c5 INT, c6 INT, c7 INT);
INSERT INTO seven VALUES (1, 2, 3, 4, 5, 6, 7), (NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-> c {"c1": 1, "c2": 2, "c3": 3, "c4": 4, "c5": 5, "c6": 6, "c7": 7}
-> c {"c1": null, "c2": null, "c3": null, "c4": null, "c5": null, "c6": null, "c7": null}
-- Generated columns are in the log, also those that are not stored; so are invisible ones.
CREATE TABLE made (id INT PRIMARY KEY, a INT, doubled INT AS (a * 2) STORED, label VARCHAR(20) CHARACTER SET ascii AS (CONCAT('n', a)) VIRTUAL, hidden INT INVISIBLE DEFAULT 7);
INSERT INTO made (id, a) VALUES (1, 21);
-> c {"id": 1, "a": 21, "doubled": 42, "label": "n21", "hidden": 7}
CREATE TABLE wide (c1 INT, c2 INT, c3 VARCHAR(5) CHARACTER SET ascii, c4 INT, c5 INT NOT NULL, c6 VARCHAR(5) CHARACTER SET ascii, c7 INT, c8 INT, c9 VARCHAR(5) CHARACTER SET ascii, c10 INT NOT NULL, c11 INT, c12 VARCHAR(5) CHARACTER SET ascii, c13 INT, c14 INT, c15 VARCHAR(5) CHARACTER SET ascii NOT NULL, c16 INT, c17 INT, c18 VARCHAR(5) CHARACTER SET ascii, c19 INT, c20 INT NOT NULL, c21 VARCHAR(5) CHARACTER SET ascii, c22 INT, c23 INT, c24 VARCHAR(5) CHARACTER SET ascii, c25 INT NOT NULL, c26 INT, c27 VARCHAR(5) CHARACTER SET ascii, c28 INT, c29 INT, c30 VARCHAR(5) CHARACTER SET ascii NOT NULL, c31 INT, c32 INT, c33 VARCHAR(5) CHARACTER SET ascii, c34 INT, c35 INT NOT NULL, c36 VARCHAR(5) CHARACTER SET ascii, c37 INT, c38 INT, c39 VARCHAR(5) CHARACTER SET ascii, c40 INT NOT NULL);
INSERT INTO wide VALUES (1, 2, 'v3', 4, 5, 'v6', 7, 8, 'v9', 10, 11, 'v12', 13, 14, 'v15', 16, 17, 'v18', 19, 20, 'v21', 22, 23, 'v24', 25, 26, 'v27', 28, 29, 'v30', 31, 32, 'v33', 34, 35, 'v36', 37, 38, 'v39', 40), (NULL, NULL, NULL, 4, 5, NULL, NULL, 8, NULL, 10, NULL, 'v12', NULL, NULL, 'v15', 16, NULL, NULL, NULL, 20, NULL, NULL, NULL, 'v24', 25, NULL, NULL, 28, NULL, 'v30', NULL, 32, NULL, NULL, 35, 'v36', NULL, NULL, NULL, 40), (1, 2, 'v3', 4, 5, 'v6', 7, 8, 'v9', 10, 11, 'v12', 13, 14, 'v15', 16, 17, 'v18', 19, 20, 'v21', 22, 23, 'v24', 25, 26, 'v27', 28, 29, 'v30', 31, 32, 'v33', 34, 35, 'v36', 37, 38, NULL, 40);
-> c {"c1": 1, "c2": 2, "c3": "v3", "c4": 4, "c5": 5, "c6": "v6", "c7": 7, "c8": 8, "c9": "v9", "c10": 10, "c11": 11, "c12": "v12", "c13": 13, "c14": 14, "c15": "v15", "c16": 16, "c17": 17, "c18": "v18", "c19": 19, "c20": 20, "c21": "v21", "c22": 22, "c23": 23, "c24": "v24", "c25": 25, "c26": 26, "c27": "v27", "c28": 28, "c29": 29, "c30": "v30", "c31": 31, "c32": 32, "c33": "v33", "c34": 34, "c35": 35, "c36": "v36", "c37": 37, "c38": 38, "c39": "v39", "c40": 40}
-> c {"c1": null, "c2": null, "c3": null, "c4": 4, "c5": 5, "c6": null, "c7": null, "c8": 8, "c9": null, "c10": 10, "c11": null, "c12": "v12", "c13": null, "c14": null, "c15": "v15", "c16": 16, "c17": null, "c18": null, "c19": null, "c20": 20, "c21": null, "c22": null, "c23": null, "c24": "v24", "c25": 25, "c26": null, "c27": null, "c28": 28, "c29": null, "c30": "v30", "c31": null, "c32": 32, "c33": null, "c34": null, "c35": 35, "c36": "v36", "c37": null, "c38": null, "c39": null, "c40": 40}
-> c {"c1": 1, "c2": 2, "c3": "v3", "c4": 4, "c5": 5, "c6": "v6", "c7": 7, "c8": 8, "c9": "v9", "c10": 10, "c11": 11, "c12": "v12", "c13": 13, "c14": 14, "c15": "v15", "c16": 16, "c17": 17, "c18": "v18", "c19": 19, "c20": 20, "c21": "v21", "c22": 22, "c23": 23, "c24": "v24", "c25": 25, "c26": 26, "c27": "v27", "c28": 28, "c29": 29, "c30": "v30", "c31": 31, "c32": 32, "c33": "v33", "c34": 34, "c35": 35, "c36": "v36", "c37": 37, "c38": 38, "c39": null, "c40": 40}
-- MySQL's events of a partitioned table carry extra data before the columns.
CREATE TABLE parts (id INT PRIMARY KEY, v VARCHAR(5) CHARACTER SET ascii) PARTITION BY HASH(id) PARTITIONS 2;
INSERT INTO parts VALUES (1, 'a'), (2, 'b');
-> c {"id": 1, "v": "a"}
-> c {"id": 2, "v": "b"}
UPDATE parts SET id = 4 WHERE id = 1;
-> u {"id": 1, "v": "a"} => {"id": 4, "v": "a"}
