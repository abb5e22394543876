-- Every integer type at both of its ends, signed and unsigned; BIGINT UNSIGNED exact beyond 2^63, also as primary key.
CREATE TABLE integers (
  id BIGINT UNSIGNED PRIMARY KEY,
  t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED, m MEDIUMINT, mu MEDIUMINT UNSIGNED,
  i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, y YEAR, flag BOOL, z INT(8) ZEROFILL
);
INSERT INTO integers VALUES (18446744073709551615, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 2155, TRUE, 42);
-> c {"id": 18446744073709551615, "t": 127, "tu": 255, "s": 32767, "su": 65535, "m": 8388607, "mu": 16777215, "i": 2147483647, "iu": 4294967295, "b": 9223372036854775807, "bu": 18446744073709551615, "y": 2155, "flag": 1, "z": 42}
INSERT INTO integers VALUES (0, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 1901, -1, 4294967295);
-> c {"id": 0, "t": -128, "tu": 0, "s": -32768, "su": 0, "m": -8388608, "mu": 0, "i": -2147483648, "iu": 0, "b": -9223372036854775808, "bu": 0, "y": 1901, "flag": -1, "z": 4294967295}
INSERT INTO integers VALUES (1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, 0, 1, 1), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-> c {"id": 1, "t": -1, "tu": 1, "s": -1, "su": 1, "m": -1, "mu": 1, "i": -1, "iu": 1, "b": -1, "bu": 1, "y": 0, "flag": 1, "z": 1}
-> c {"id": 2, "t": null, "tu": null, "s": null, "su": null, "m": null, "mu": null, "i": null, "iu": null, "b": null, "bu": null, "y": null, "flag": null, "z": null}
