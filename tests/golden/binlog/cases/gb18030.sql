-- only: mysql
CREATE TABLE texts (id INT PRIMARY KEY, g VARCHAR(20) CHARACTER SET gb18030);
INSERT INTO texts VALUES (1, '汉字😀'), (2, 'ḿ');
-> c {"id": 1, "g": "汉字😀"}
-> c {"id": 2, "g": "ḿ"}
