"""Our own decoder of MySQL's and MariaDB's binary log: pure functions over bytes."""
