/* rdb_values.h - values as real servers wrote them into DUMP payloads, small enough to
 * be read.
 *
 * Redis 8.6 unless told: a stream of entries 1-1, (2-1 deleted), 3-1, 4-0 with groups e
 * and g, where c of g has 2-1 pending and d has 3-1; hashes whose field c expires at
 * 2^41 ms and a 5 ms later. String literals, to be put together and measured as such.
 */
#pragma once

#define RDB_NONE_64 "\377\377\377\377\377\377\377\377"
#define RDB_AT "\0\0\0\0\0\2\0\0"   /* 2^41 */
#define RDB_AT_5 "\5\0\0\0\0\2\0\0" /* 2^41 + 5 */
#define RDB_HELD "\0\0\0\0\0\6\0\0" /* 2^41 + 2^42 */
#define RDB_HELD_5 "\5\0\0\0\0\6\0\0"

#define RDB_LIST_18                                                                                \
    "\1\2&&\0\0\0\6\0\201a\2\337\377\2\301,\2\362p\21\1\4\364\0\362\5*\1\0\0\0\11\205"             \
    "bytes\6\377"
#define RDB_SET_20 "\31\31\0\0\0\4\0\201a\2\201b\2\7\1\364\0\362\5*\1\0\0\0\11\377"
#define RDB_ZSET_17                                                                                \
    "$$\0\0\0\10\0\201a\2\204-inf\5\201b\2\1\1\7\1\203"                                            \
    "2.5\4\201c\2\203inf\4\377"
#define RDB_HASH_16                                                                                \
    "\36\36\0\0\0\6\0\201f\2\201v\2\1\1\2\1\201n\2\364\0\16\372\325\376\377\377\377\11\377"

/* Fields c (3), a (1), b ("two"). */
#define RDB_HASH_25_(least, c, a)                                                                  \
    least "//\0\0\0\11\0\201c\2\3\1\364" c "\11\201a\2\1\1\364" a "\11\201b\2\203two\4\0\1\377"
#define RDB_HASH_25 RDB_HASH_25_(RDB_AT, RDB_AT, RDB_AT_5)
#define RDB_HASH_24 RDB_AT "\3\0\1b\3two\1\1c\300\3\6\1a\300\1"
#define RDB_HASH_VALKEY_22                                                                         \
    "\3\1a\300\1" RDB_AT_5 "\1b\3two" RDB_NONE_64 "\1c\300\3" RDB_AT /* Valkey 9.1 */

#define RDB_ID(n) "\0\0\0\0\0\0\0" n "\0\0\0\0\0\0\0\1"
#define RDB_SEEN "],\252\370\241\1\0\0"
#define RDB_STREAM_NODES                                                                           \
    "\1\20" RDB_ID("\1") "\303@H@R\22R\0\0\0 \0\3\1\1\1\2\1\201f\2\201g\2\0 \11\0\0 \1\7\201v\2"   \
                         "\201w\2\5\1@\33 \15\3x\2\201y \15\200\35\10\1\1\201h\2\201z\2\6 \17\4"   \
                         "\3\1\337\377\2\340\0\20\1\1\377"
#define RDB_STREAM_PENDING                                                                         \
    "\2" RDB_ID("\2") "\0\200n\207t\1\0\0\3" RDB_ID("\3") "\1\200n\207t\1\0\0\1"
/* counters, entries read by e and g, active time, entries given back, producers */
#define RDB_STREAM_(counters, read_e, read_g, active, back, producers)                             \
    RDB_STREAM_NODES "\3\4\0" counters "\2\1e\3\1" read_e "\0\0" back                              \
                     "\1g\1\1" read_g RDB_STREAM_PENDING "\2\1c" RDB_SEEN active                   \
                     "\1" RDB_ID("\2") "\1d" RDB_SEEN active "\1" RDB_ID("\3") back producers
#define RDB_STREAM_15 RDB_STREAM_("", "", "", "", "", "")
#define RDB_STREAM_19 RDB_STREAM_("\1\1\2\1\4", "\201" RDB_NONE_64, "\1", "", "", "")
#define RDB_STREAM_21 RDB_STREAM_("\1\1\2\1\4", "\201" RDB_NONE_64, "\1", RDB_SEEN, "", "")
#define RDB_STREAM_26                                                                              \
    RDB_STREAM_("\1\1\2\1\4", "\201" RDB_NONE_64, "\1", RDB_SEEN, "", "@d@d\0\0\0")
/* As Redis 8.8 is said to write it. */
#define RDB_STREAM_27                                                                              \
    RDB_STREAM_("\1\1\2\1\4", "\201" RDB_NONE_64, "\1", RDB_SEEN, "\0", "@d@d\0\0\0")
