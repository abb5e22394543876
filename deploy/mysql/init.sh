# Sourced once by the entrypoint of the `mysql` image, while it sets up an empty data folder. Hands the passwords from the
# environment to init.sql as variables, in hexadecimal: whatever they hold, none can end a string of SQL.
# shellcheck shell=bash

assign() {
	printf "SET @%s = CONVERT(X'%s' USING utf8mb4);\n" "$1" "$(printf '%s' "$2" | od -An -v -tx1 | tr -d ' \n')"
}

: "${SOURCE_PASSWORD:?}" "${STATE_PASSWORD:?}" "${GENERATOR_PASSWORD:?}"
{
	assign source_password "$SOURCE_PASSWORD"
	assign state_password "$STATE_PASSWORD"
	assign generator_password "$GENERATOR_PASSWORD"
	cat /etc/streamtrain/init.sql
} | docker_process_sql
