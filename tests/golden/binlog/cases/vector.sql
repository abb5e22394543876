-- only: mysql
CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3), t TEXT CHARACTER SET koi8r, w VECTOR(2) NOT NULL);
INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[0.1, -2, 3.5]'), 'ж', STRING_TO_VECTOR('[1e38,0]')), (2, NULL, NULL, STRING_TO_VECTOR('[0.3,-0.7]'));
-> c {"id": 1, "v": [0.1, -2.0, 3.5], "t": "ж", "w": [1e38, 0.0]}
-> c {"id": 2, "v": null, "t": null, "w": [0.3, -0.7]}
