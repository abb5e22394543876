-- A character set without a codec stops, and names the way out.
CREATE TABLE texts (id INT PRIMARY KEY, t VARCHAR(20) CHARACTER SET armscii8);
INSERT INTO texts VALUES (1, 'a');
!! table golden.texts: character set armscii8 is not supported (convert the column to utf8mb4
