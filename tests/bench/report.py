"""The figures as a table in Markdown."""

import statistics


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def against(value, base):
    return " (%.2f ×)" % (value / base) if base else ""


def kilobytes(found, index):
    return ", ".join("%s %.1f MB" % (role, values[index] / 1024) for role, values in found.items()) or "–"


class Table:
    """One column per mover; `results` is {part: [figures of each mover, None where it took no part]}."""

    def __init__(self, names, results, options):
        self.names, self.results, self.options = names, results, options
        self.base = 0 if names and names[0] == "native replication" else None
        self.lines = [row("", *names), row(*["---"] * (len(names) + 1))]

    def line(self, title, part, text):
        found = self.results[part]
        self.lines.append(row(title, *[text(r) if r is not None else "–" for r in found]))

    def of_base(self, part, value):
        if self.base is None or self.results[part][self.base] is None:
            return None
        return value(self.results[part][self.base])

    def tail(self, part, value, title, what):
        self.line(title + ": accepted by the source, k/s", part, lambda r: "%.0f" % (value(r)["rate"] / 1e3))
        self.line("… delivered meanwhile, k/s (share)", part,
                  lambda r: "%.0f (%.3f)" % (value(r)["delivered"] / 1e3, value(r)["share"]))
        base = self.of_base(part, lambda b: value(b)["sustained"])
        self.line("… delivered until all had arrived, k/s", part,
                  lambda r: "%.0f%s" % (value(r)["sustained"] / 1e3, against(value(r)["sustained"], base)))
        self.line("… lag p50 / p99, ms", part, lambda r: "%.1f / %.1f" % (
            value(r)["lag_p50_ms"], value(r)["lag_p99_ms"]) if value(r)["lag_p99_ms"] else "–")
        self.line("… last write visible after the load, ms", part, lambda r: "%.0f" % value(r)["last_ms"])
        self.line("… CPU a %s, µs" % what, part, lambda r: ", ".join(
            "%s %.2f" % (role, used) for role, used in value(r)["cpu_us"].items()))

    def seconds(self, title, part, value):
        base = self.of_base(part, value)
        self.line(title, part, lambda r: "%.2f%s" % (value(r), against(value(r), base)))

    def text(self):
        options = self.options
        keys, parts = format(options.keys, ","), self.results
        if "strings" in parts:
            self.seconds("full copy, %s strings of 100 B: median of %d, s" % (keys, options.copies), "strings",
                         lambda r: statistics.median(r["copies"]))
            self.line("… each run, s", "strings", lambda r: ", ".join("%.2f" % c for c in r["copies"]))
        if "mixed" in parts:
            self.seconds("full copy, %s keys of six types: median of %d, s" % (keys, options.copies), "mixed", float)
        if "tls" in parts:
            self.seconds("full copy of the strings, TLS on both ends, s", "tls", lambda r: r["copy"])
        if "strings" in parts:
            self.line("one write until visible, p50 / p99, ms", "strings", lambda r: "%.2f / %.2f" % (
                r["probe"].get("p50_us", 0) / 1e3, r["probe"].get("p99_us", 0) / 1e3))
            for key, title, what in (("paced", "300k SET/s offered", "SET"), ("saturated", "source saturated, SET", "SET"),
                                     ("mixed_paced", "100k mixed writes/s offered", "write"),
                                     ("mixed_saturated", "source saturated, mixed writes", "write")):
                self.tail("strings", lambda r, key=key: r[key], title, what)
        if "far" in parts:
            self.tail("far", lambda r: r, "destination 1 ms away, 300k SET/s offered", "SET")
        if "tls" in parts:
            self.tail("tls", lambda r: r["tail"], "TLS on both ends, source saturated, SET", "SET")
        if "strings" in parts:
            self.line("memory of an idle task (private)", "strings", lambda r: kilobytes(r["memory_idle"], 1))
            self.line("peak resident memory of the whole run", "strings", lambda r: kilobytes(r["memory_peak"], 0))
        if "hash" in parts:
            self.line("peak for one hash of %s fields" % format(options.fields, ","), "hash",
                      lambda r: kilobytes(r, 0))
        if "limits" in parts:
            first = next(r for r in parts["limits"] if r)
            for n, (name, limit, _) in enumerate(first):
                if limit is None:
                    self.line(name + ": after s, then k/s", "limits",
                              lambda r, n=n: "%.1f, %.0f" % (r[n][2][0], r[n][2][1] / 1e3))
                    continue
                self.line("%s limited to %s a second: measured (share)" % (name, format(limit, ",")), "limits",
                          lambda r, n=n: "%s (%.3f)" % (format(round(r[n][2]), ","), r[n][2] / r[n][1]))
        if "quiet" in parts:
            first = next(r for r in parts["quiet"] if r)
            self.line("%d quiet tails with heartbeats: private memory of each" % first["count"], "quiet",
                      lambda r: "%.1f MB; worker %.1f MB" % (r["private_mb_each"], r["worker_private_mb"]))
            self.line("… CPU of all together, of one core", "quiet", lambda r: "%.1f %%" % r["cpu_percent"])
            self.line("… of %d processes that only send a PING a second" % (first["count"] * 2), "quiet",
                      lambda r: "%.1f %%" % r["bare_percent"])
            self.line("… HSETs of each position, a second", "quiet", lambda r: "%.2f" % r["positions_per_second_each"])
        return "\n".join(self.lines)
