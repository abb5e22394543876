-- Character sets that Python has no codec for.
CREATE TABLE texts (id INT PRIMARY KEY, a VARCHAR(20) CHARACTER SET armscii8, d VARCHAR(20) CHARACTER SET dec8, g CHAR(20) CHARACTER SET geostd8, h TEXT CHARACTER SET hp8, k VARCHAR(300) CHARACTER SET keybcs2, s VARCHAR(20) CHARACTER SET swe7, e ENUM('ա', 'բ') CHARACTER SET armscii8);
INSERT INTO texts VALUES (1, 'Երևան', 'Œuvre', 'თბილისი', 'Škoda', 'Žluťoučký', 'Räksmörgås', 'բ');
-> c {"id": 1, "a": "Եր?ան", "d": "Œuvre", "g": "თბილისი", "h": "Škoda", "k": "Žluťoučký", "s": "Räksmörgås", "e": "բ"}
