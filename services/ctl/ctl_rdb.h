/* ctl_rdb.h - `keyferry rdb inspect FILE [--json]`: what a snapshot holds.
 *
 * Reads the file to its end through the parser the copy uses and prints version,
 * server, keys per database and type, expiries, functions, modules, the largest
 * keys and what the checksum says. Nothing is contacted, nothing is written. Key
 * names are shown (escaped): the file is the user's and so is the terminal.
 */
#pragma once

/* `argv` holds what stands behind the words "rdb inspect".
 *
 * Answers the exit code: 0 the file is readable and its checksum, if it has one,
 * is right; 1 a typed error (named on standard error and, with --json, in
 * "error"; what was read before it is printed all the same); 2 usage. */
int ctl_rdb_inspect(int argc, char **argv);
