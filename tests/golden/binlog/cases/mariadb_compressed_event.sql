-- only: mariadb
SET GLOBAL log_bin_compress_min_len = 10;
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(500));
SET GLOBAL log_bin_compress = ON;
INSERT INTO t VALUES (1, REPEAT('a', 400));
!! MARIADB_WRITE_ROWS_COMPRESSED_V1: this kind of event is not supported (SET GLOBAL log_bin_compress=OFF
SET GLOBAL log_bin_compress = OFF;
