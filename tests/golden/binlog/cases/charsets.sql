-- Text in the character set of its column; the client speaks utf8mb4.
CREATE TABLE texts (
  id INT PRIMARY KEY, c8 CHAR(10) CHARACTER SET utf8mb4, v3 VARCHAR(20) CHARACTER SET utf8mb3, l1 VARCHAR(20) CHARACTER SET latin1, asc_ TEXT CHARACTER SET ascii,
  u2 VARCHAR(20) CHARACTER SET ucs2, u16 CHAR(20) CHARACTER SET utf16, u16l VARCHAR(20) CHARACTER SET utf16le, u32 TEXT CHARACTER SET utf32,
  gbk VARCHAR(20) CHARACTER SET gbk, sj VARCHAR(20) CHARACTER SET sjis, c932 VARCHAR(20) CHARACTER SET cp932, big5 VARCHAR(20) CHARACTER SET big5,
  gb23 VARCHAR(20) CHARACTER SET gb2312, kr VARCHAR(20) CHARACTER SET euckr, uj VARCHAR(20) CHARACTER SET ujis, ujms VARCHAR(20) CHARACTER SET eucjpms
);
INSERT INTO texts VALUES (1, 'añ😀 ', 'ñ日', '€ñ', 'plain', 'é日', 'é😀', 'é😀', 'é😀', '汉字', '日本\\', '①日本', '碁漢', '汉字', '갂한글', '日本', '～①ⅰ');
-> c {"id": 1, "c8": "añ😀", "v3": "ñ日", "l1": "€ñ", "asc_": "plain", "u2": "é日", "u16": "é😀", "u16l": "é😀", "u32": "é😀", "gbk": "汉字", "sj": "日本\\", "c932": "①日本", "big5": "碁漢", "gb23": "汉字", "kr": "갂한글", "uj": "日本", "ujms": "～①ⅰ"}
INSERT INTO texts VALUES (2, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''), (3, 'a\0b', 'a b ', x'818d8f909d', '\n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-> c {"id": 2, "c8": "", "v3": "", "l1": "", "asc_": "", "u2": "", "u16": "", "u16l": "", "u32": "", "gbk": "", "sj": "", "c932": "", "big5": "", "gb23": "", "kr": "", "uj": "", "ujms": ""}
-> c {"id": 3, "c8": "a\u0000b", "v3": "a b ", "l1": "\u0081\u008d\u008f\u0090\u009d", "asc_": "\n", "u2": null, "u16": null, "u16l": null, "u32": null, "gbk": null, "sj": null, "c932": null, "big5": null, "gb23": null, "kr": null, "uj": null, "ujms": null}
-- Character sets of one byte, and lengths that take two.
CREATE TABLE more_texts (
  id INT PRIMARY KEY, l2 TEXT CHARACTER SET latin2, l5 TEXT CHARACTER SET latin5, l7 TEXT CHARACTER SET latin7, c1250 TEXT CHARACTER SET cp1250, c1251 TEXT CHARACTER SET cp1251,
  c1256 TEXT CHARACTER SET cp1256, c1257 TEXT CHARACTER SET cp1257, c850 TEXT CHARACTER SET cp850, c852 TEXT CHARACTER SET cp852, c866 TEXT CHARACTER SET cp866, kr TEXT CHARACTER SET koi8r,
  ku TEXT CHARACTER SET koi8u, gr TEXT CHARACTER SET greek, he TEXT CHARACTER SET hebrew, th TEXT CHARACTER SET tis620, mr TEXT CHARACTER SET macroman, mc TEXT CHARACTER SET macce,
  long_char CHAR(100) CHARACTER SET utf8mb4, long_varchar VARCHAR(300) CHARACTER SET latin1, m MEDIUMTEXT, l LONGTEXT, t TINYTEXT
);
INSERT INTO more_texts VALUES (1, 'ř', 'ğ', 'ž', 'ž', 'ж', 'پ', 'ž', 'é', 'ř', 'жⁿ²', 'ж', 'ї•', 'λ', 'א', 'ก', 'é', 'ř', 'ab', 'cd', 'medium ñ', 'long ñ', 'tiny ñ');
-> c {"id": 1, "l2": "ř", "l5": "ğ", "l7": "ž", "c1250": "ž", "c1251": "ж", "c1256": "پ", "c1257": "ž", "c850": "é", "c852": "ř", "c866": "жⁿ²", "kr": "ж", "ku": "ї•", "gr": "λ", "he": "א", "th": "ก", "mr": "é", "mc": "ř", "long_char": "ab", "long_varchar": "cd", "m": "medium ñ", "l": "long ñ", "t": "tiny ñ"}
-- One default for the table, exceptions among many columns, and names that need quotes.
CREATE TABLE `odd - ``names`` ñ` (`a b` INT PRIMARY KEY, `"q"` VARCHAR(5), `c:d{x}` VARCHAR(5) CHARACTER SET koi8r, `日本` VARCHAR(5), `$0` ENUM('é'), `; import os` INT) CHARACTER SET utf8mb4;
INSERT INTO `odd - ``names`` ñ` VALUES (1, 'ñ', 'ж', '日', 'é', 7);
-> c {"a b": 1, "\"q\"": "ñ", "c:d{x}": "ж", "日本": "日", "$0": "é", "; import os": 7}
