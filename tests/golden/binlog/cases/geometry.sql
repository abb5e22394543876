-- Well-known binary and SRID; 0 is "not set". The text after it is still decoded by its own character set.
CREATE TABLE shapes (id INT PRIMARY KEY, g GEOMETRY, p POINT, t TEXT CHARACTER SET koi8r);
INSERT INTO shapes VALUES (1, ST_GeomFromText('POINT(1 1)', 4326), ST_GeomFromText('POINT(1 2)'), 'ж'), (2, ST_GeomFromText('LINESTRING(0 0,1 1)'), NULL, NULL);
-> c {"id": 1, "g": {"wkb": "AQEAAAAAAAAAAADwPwAAAAAAAPA/", "srid": 4326}, "p": {"x": 1.0, "y": 2.0, "wkb": "AQEAAAAAAAAAAADwPwAAAAAAAABA", "srid": null}, "t": "ж"}
-> c {"id": 2, "g": {"wkb": "AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8=", "srid": null}, "p": null, "t": null}
