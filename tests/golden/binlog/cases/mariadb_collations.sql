-- only: mariadb
-- MariaDB's own collations: NO PAD twins and UCA 14.0.0.
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(5) COLLATE latin2_nopad_bin, b VARCHAR(5) CHARACTER SET ucs2 COLLATE uca1400_ai_ci, c VARCHAR(5) CHARACTER SET utf16 COLLATE uca1400_german2_as_cs, d VARCHAR(5) CHARACTER SET utf32 COLLATE uca1400_as_ci, e VARCHAR(5) CHARACTER SET utf8mb4 COLLATE uca1400_ai_ci, f VARCHAR(5) COLLATE utf8mb4_croatian_ci);
INSERT INTO t VALUES (1, 'ř', 'é', '😀', '😀', '😀', 'ř');
-> c {"id": 1, "a": "ř", "b": "é", "c": "😀", "d": "😀", "e": "😀", "f": "ř"}
