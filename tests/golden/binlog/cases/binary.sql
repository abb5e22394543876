-- Bytes as base64. BINARY(n) has its zero bytes back that the log leaves out; VARBINARY and BLOB are as they are.
CREATE TABLE bytes (id INT PRIMARY KEY, b16 BINARY(16), b1 BINARY(1), b255 BINARY(4), v VARBINARY(16), w VARBINARY(300), t TINYBLOB, b BLOB, m MEDIUMBLOB, l LONGBLOB);
INSERT INTO bytes VALUES (1, x'0102030405060708090a0b0c0d0e0f00', x'00', x'', x'0100', x'ff00', x'00', x'cafebabe', x'', x'00ff00');
-> c {"id": 1, "b16": "AQIDBAUGBwgJCgsMDQ4PAA==", "b1": "AA==", "b255": "AAAAAA==", "v": "AQA=", "w": "/wA=", "t": "AA==", "b": "yv66vg==", "m": "", "l": "AP8A"}
INSERT INTO bytes VALUES (2, x'00', x'ff', x'ff', x'', REPEAT(x'ab', 6), x'20', x'20', x'20', x'20'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-> c {"id": 2, "b16": "AAAAAAAAAAAAAAAAAAAAAA==", "b1": "/w==", "b255": "/wAAAA==", "v": "", "w": "q6urq6ur", "t": "IA==", "b": "IA==", "m": "IA==", "l": "IA=="}
-> c {"id": 3, "b16": null, "b1": null, "b255": null, "v": null, "w": null, "t": null, "b": null, "m": null, "l": null}
CREATE TABLE bits (id INT PRIMARY KEY, b1 BIT(1), b3 BIT(3), b8 BIT(8), b17 BIT(17), b64 BIT(64), b1r BIT NOT NULL);
INSERT INTO bits VALUES (1, b'1', b'101', b'10000001', b'10000000000000001', x'0123456789abcdef', b'0'), (2, b'0', NULL, 0, 1, 1, 1);
-> c {"id": 1, "b1": true, "b3": "BQ==", "b8": "gQ==", "b17": "AQAB", "b64": "782riWdFIwE=", "b1r": false}
-> c {"id": 2, "b1": false, "b3": null, "b8": "AA==", "b17": "AQAA", "b64": "AQAAAAAAAAA=", "b1r": true}
