-- Dates that are not in the calendar: null where the column may be, else zero. The real 1970-01-01 stays 0.
SET SESSION sql_mode = 'ALLOW_INVALID_DATES';
CREATE TABLE zero_dates (
  id INT PRIMARY KEY, d DATE, dr DATE NOT NULL, dt DATETIME, dtr DATETIME NOT NULL, dt6 DATETIME(6), dt6r DATETIME(6) NOT NULL,
  ts TIMESTAMP NULL, tsr TIMESTAMP NOT NULL, ts3 TIMESTAMP(3) NULL, ts3r TIMESTAMP(3) NOT NULL, y YEAR
);
INSERT INTO zero_dates VALUES (1, '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00', '0000');
-> c {"id": 1, "d": null, "dr": 0, "dt": null, "dtr": 0, "dt6": null, "dt6r": 0, "ts": null, "tsr": "1970-01-01T00:00:00Z", "ts3": null, "ts3r": "1970-01-01T00:00:00Z", "y": 0}
INSERT INTO zero_dates VALUES (2, '2015-00-21', '2015-00-21', '2015-00-21 10:11:12', '2015-01-00 10:11:12', '2015-00-00 01:02:03.4', '2015-00-00 01:02:03.4', NULL, '2015-01-21', NULL, '2015-01-21', '18');
-> c {"id": 2, "d": null, "dr": 0, "dt": null, "dtr": 0, "dt6": null, "dt6r": 0, "ts": null, "tsr": "2015-01-21T00:00:00Z", "ts3": null, "ts3r": "2015-01-21T00:00:00Z", "y": 2018}
INSERT INTO zero_dates VALUES (3, '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01 00:00:01', '1970-01-01 00:00:01', '1970-01-01 00:00:01.5', '1970-01-01 00:00:01.5', '78');
-> c {"id": 3, "d": 0, "dr": 0, "dt": 0, "dtr": 0, "dt6": 0, "dt6r": 0, "ts": "1970-01-01T00:00:01Z", "tsr": "1970-01-01T00:00:01Z", "ts3": "1970-01-01T00:00:01.5Z", "ts3r": "1970-01-01T00:00:01.5Z", "y": 1978}
INSERT INTO zero_dates VALUES (4, '2015-02-31', '2015-02-31', '2015-02-31 10:00:00', '2015-02-31 10:00:00', '2015-02-31 10:00:00', '2015-02-31 10:00:00', '2015-02-28', '2015-02-28', '2015-02-28', '2015-02-28', 2000);
-> c {"id": 4, "d": null, "dr": 0, "dt": null, "dtr": 0, "dt6": null, "dt6r": 0, "ts": "2015-02-28T00:00:00Z", "tsr": "2015-02-28T00:00:00Z", "ts3": "2015-02-28T00:00:00Z", "ts3r": "2015-02-28T00:00:00Z", "y": 2000}
SET SESSION sql_mode = '';
