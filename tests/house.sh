#!/bin/bash
# The rules of the house that a compiler does not hold: who may include whom, that
# proto/ is pure, one includer of microhttpd.h, the formatter, the size of files.
#
#   tests/house.sh [BUILD_DIR]        BUILD_DIR has libproto.a (default build/asan)
#
# Prints one line per rule and ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/asan}
passed=0 failed=0 skipped=0

rule() { # rule "what" "findings": passes when there are none
    if [ -z "$2" ]; then
        passed=$((passed + 1)); printf 'ok    %s\n' "$1"
    else
        failed=$((failed + 1)); printf 'FAIL  %s\n' "$1"; printf '%s\n' "$2" | sed 's/^/      /'
    fi
}
skip() { skipped=$((skipped + 1)); printf 'skip  %s: %s\n' "$1" "$2"; }

# Files below the folders named (default: all of ours).
sources() {
    [ "$1" != . ] || set -- proto sql services web-api tests
    find "$@" -type f \( -name '*.c' -o -name '*.h' -o -name '*.def' \) | sort
}
[ "$(sources . | grep -c .)" -gt 20 ] || { echo "house: there is nothing to check"; exit 1; }

# Lines "file:number:include" of includes in quotes.
includes() { sources "$@" | xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' /dev/null; }

# --- layers: code looks down only
rule 'proto/ includes only proto/' \
    "$(includes proto | grep -vE 'include[[:space:]]*"proto/')"
rule 'sql/ includes only sql/ and proto/' \
    "$(includes sql | grep -vE 'include[[:space:]]*"(sql|proto)/' | grep -v '"generated/')"
rule 'services/ includes nothing of web-api/ and tests/' \
    "$(includes services | grep -vE 'include[[:space:]]*"(services|sql|proto)/')"
rule 'web-api/ includes nothing of tests/' \
    "$(includes web-api | grep -vE 'include[[:space:]]*"(web-api|services|sql|proto)/')"
rule 'one file includes microhttpd.h' \
    "$(n=$(sources . | xargs -r grep -lE '#[[:space:]]*include[[:space:]]*<microhttpd\.h>' /dev/null); \
       [ "$(printf '%s' "$n" | grep -c .)" -le 1 ] || printf '%s\n' "$n")"
rule 'one file includes hiredis, and it is in proto/' \
    "$(n=$(sources . | xargs -r grep -lE '#[[:space:]]*include[[:space:]]*<(hiredis/)?(hiredis|read|sds)\.h>' /dev/null); \
       [ "$(printf '%s' "$n" | grep -c .)" -le 1 ] || printf '%s\n' "$n"; \
       printf '%s' "$n" | grep -v '^proto/')"
rule 'libpq is included by sql/ and the private PostgreSQL only' \
    "$(sources . | xargs -r grep -lE '#[[:space:]]*include[[:space:]]*<libpq-fe\.h>' /dev/null \
       | grep -vE '^(sql|tests)/|^services/ctl/private_postgres\.c$')"

# --- proto/ is pure: what it asks of the outside is memory, text and arithmetic
library=$build/libproto.a
impure='accept|access|bind|chdir|chmod|clock_gettime|clock_nanosleep|close|closedir|connect|creat|dup2?|epoll_.*|execl?v?p?e?|exit|_exit|fclose|fdopen|fgetc|fgets|fopen(64)?|fork|fprintf|fputc|fputs|fread|fstat(64)?|fsync|ftruncate(64)?|fwrite|getaddrinfo|getc|getenv|secure_getenv|gethostbyname|getpid|getrandom|gettimeofday|ioctl|kill|listen|localtime(_r)?|lseek(64)?|mkdir|mkstemp(64)?|mmap(64)?|munmap|nanosleep|open(64|at|at64)?|opendir|perror|pipe2?|poll|popen|pread(64)?|printf|pthread_.*|putchar|puts|pwrite(64)?|raise|rand|random|read|readdir(64)?|readlink|readv|recv|recvfrom|recvmsg|rename|rmdir|select|send|sendfile(64)?|sendmsg|sendto|setenv|shutdown|sigaction|signal|sleep|socket|socketpair|stat(64)?|stdin|stdout|stderr|syscall|syslog|system|time|timerfd_.*|tmpfile|unlink|usleep|vfprintf|vprintf|wait|waitpid|write|writev|__(v?f?printf)_chk|__read_chk|__open.*_2|__poll_chk'
if [ -f "$library" ]; then
    rule 'proto/ does no I/O, reads no clock, no environment, starts no thread' \
        "$(nm -u --format=posix "$library" 2>/dev/null | awk '{print $1}' | sed 's/@.*//' | sort -u \
           | grep -xE "($impure)")"
else
    skip 'proto/ is pure' "$library is not built"
fi
rule 'parsers do not end the process' \
    "$(sources proto/rdb proto/resp proto/repl | xargs -r grep -nE '\b(abort|exit)[[:space:]]*\(' /dev/null)"

# --- format and size
if command -v clang-format >/dev/null; then
    rule 'clang-format agrees' \
        "$(sources . | grep -E '\.(c|h)$' | xargs -r clang-format --dry-run 2>&1 | grep -E 'warning|error' | cut -d: -f1 | sort -u)"
else
    skip 'clang-format agrees' 'it is not installed'
fi
rule 'no file is over 450 lines' \
    "$(sources proto sql services web-api tests | grep -E '\.(c|h)$' | xargs -r wc -l | awk '$1 > 450 && $2 != "total" {print $2 ": " $1 " lines"}')"
rule 'scripts are well-formed' \
    "$(for f in quickstart tests/run tests/house.sh tests/support/zoo .ci/run; do [ -f $f ] && bash -n $f 2>&1; done)"

rule 'every requirement has a test that exists, or a reason' \
    "$(/usr/bin/python3 tests/requirements_page.py --check 2>&1)"

echo "house: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
