-- only: mariadb
-- UUID and INET look like BINARY in the log, which alone does not tell them; JSON is a LONGTEXT, shown as it was written.
CREATE TABLE types (id INT PRIMARY KEY, u UUID, i6 INET6, i4 INET4, j JSON, t TEXT CHARACTER SET koi8r);
INSERT INTO types VALUES (1, '00112233-4455-6677-8899-aabbcc440000', '2001:db8::', '1.2.0.0', '{"a": 2}', 'ж');
-> c {"id": 1, "u": "ABEiM0RVZneImaq7zEQAAA==", "i6": "IAENuAAAAAAAAAAAAAAAAA==", "i4": "AQIAAA==", "j": "{\"a\": 2}", "t": "ж"}
