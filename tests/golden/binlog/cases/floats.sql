-- FLOAT as the shortest text that is the same float32; DOUBLE as it is.
CREATE TABLE floats (id INT PRIMARY KEY, f FLOAT, d DOUBLE, g FLOAT(30), h FLOAT UNSIGNED, p DOUBLE(8,3));
INSERT INTO floats VALUES (1, 0.1, 0.1, 0.1, 0.1, 12345.678), (2, 16777216, 9007199254740993, 1e308, 3.4028234e38, -0.5);
-> c {"id": 1, "f": 0.1, "d": 0.1, "g": 0.1, "h": 0.1, "p": 12345.678}
-> c {"id": 2, "f": 16777216.0, "d": 9007199254740992.0, "g": 1e308, "h": 3.4028235e38, "p": -0.5}
INSERT INTO floats VALUES (3, 1.401298464324817e-45, 5e-324, 0, 1.17549435e-38, 0), (4, -3.1415927, -3.141592653589793, 2.5, 0.333333333, NULL);
-> c {"id": 3, "f": 1e-45, "d": 5e-324, "g": 0.0, "h": 1.1754944e-38, "p": 0.0}
-> c {"id": 4, "f": -3.1415927, "d": -3.141592653589793, "g": 2.5, "h": 0.33333334, "p": null}
