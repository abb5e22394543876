"""MySQL and MariaDB: a snapshot by SELECT, then the binary log."""
