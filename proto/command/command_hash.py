#!/usr/bin/env python3
"""Writes command_hash.inc from command_table.def: the slots command.c finds names by.

Run it in this folder after names in the table have changed. It searches multipliers
that keep every name within PROBES slots of where its hash points.
"""
import random
import re

SLOTS, BITS, PROBES = 512, 9, 4
MASK = (1 << 64) - 1
ROW = re.compile(r'^COMMAND\((\w+),\s*"([^"]+)"', re.M)


def key(name):
    raw = name.encode()
    assert 0 < len(raw) <= 24, name
    low = int.from_bytes(raw[:8], "little")
    return low, int.from_bytes(raw[-8:], "little") if len(raw) > 8 else 0


def place(rows, first, second):
    slots = [None] * SLOTS
    for symbol, name in rows:
        low, high = key(name)
        at = ((low * first + high * second) & MASK) >> (64 - BITS)
        for probe in range(PROBES):
            slot = (at + probe) % SLOTS
            if slots[slot] is None:
                slots[slot] = (symbol, name, low, high)
                break
        else:
            return None
    return slots


def main():
    with open("command_table.def", encoding="ascii") as table:
        rows = ROW.findall(table.read())
    assert len({name for _, name in rows}) == len(rows), "a name stands twice"
    dice = random.Random(1)
    slots = None
    while slots is None:
        first, second = dice.getrandbits(64) | 1, dice.getrandbits(64) | 1
        slots = place(rows, first, second)
    with open("command_hash.inc", "w", encoding="ascii") as out:
        out.write("/* Made by command_hash.py from command_table.def; do not edit. */\n")
        out.write(f"#define HASH_BITS {BITS}\n#define HASH_PROBES {PROBES}\n")
        out.write(f"#define HASH_FIRST UINT64_C(0x{first:016x})\n")
        out.write(f"#define HASH_SECOND UINT64_C(0x{second:016x})\n")
        out.write("#define HASH_SLOTS(SLOT) \\\n")
        lines = []
        for at, slot in enumerate(slots):
            if slot:
                symbol, name, low, high = slot
                lines.append(f"    SLOT({at}, {symbol}, {len(name)}, 0x{low:016x}, 0x{high:016x})")
        out.write(" \\\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
