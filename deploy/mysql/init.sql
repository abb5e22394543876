-- The databases, tables and users of the demonstration. init.sh runs it, with the passwords in
-- @source_password, @state_password and @generator_password.

CREATE DATABASE shop CHARACTER SET utf8mb4;

-- What was shown to whom at what price. `clicked` is NULL until the visitor has clicked or left.
CREATE TABLE shop.events (
  id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  user_id  INT UNSIGNED NOT NULL,
  category ENUM('books', 'games', 'garden', 'music', 'tools') NOT NULL,
  device   ENUM('phone', 'tablet', 'desktop') NOT NULL,
  price    DECIMAL(10, 2) NOT NULL,
  member   BOOLEAN NOT NULL,
  shown_at DATETIME(3) NOT NULL,
  clicked  BOOLEAN NULL,
  PRIMARY KEY (id)
);

CREATE DATABASE streamtrain CHARACTER SET utf8mb4;

-- CREATE USER takes its password as a literal only: the statement is put together with QUOTE and prepared.
SET @statement = CONCAT('CREATE USER streamtrain@''%'' IDENTIFIED BY ', QUOTE(@source_password));
PREPARE create_user FROM @statement;
EXECUTE create_user;
SET @statement = CONCAT('CREATE USER streamtrain_state@''%'' IDENTIFIED BY ', QUOTE(@state_password));
PREPARE create_user FROM @statement;
EXECUTE create_user;
SET @statement = CONCAT('CREATE USER generator@''%'' IDENTIFIED BY ', QUOTE(@generator_password));
PREPARE create_user FROM @statement;
EXECUTE create_user;
DEALLOCATE PREPARE create_user;
SET @statement = NULL, @source_password = NULL, @state_password = NULL, @generator_password = NULL;

-- Reads the tables for the snapshot, and follows the binary log.
GRANT SELECT ON shop.* TO streamtrain@'%';
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO streamtrain@'%';

-- Owns its database: migrations create, alter and drop tables there.
GRANT ALL ON streamtrain.* TO streamtrain_state@'%';

GRANT SELECT, INSERT, UPDATE, DELETE ON shop.events TO generator@'%';
