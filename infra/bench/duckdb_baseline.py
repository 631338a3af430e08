#!/usr/bin/env python3
"""The opponent: what a careful analyst would do with DuckDB and the same files.

Every subcommand is meant to run in a process of its own, so that the time is cold and the peak memory is
its own, and prints one JSON object. Times are taken inside, round the SQL only: neither Python's start nor
the import of the library is held against DuckDB.

    prepare  ARRIVAL OUT     the rolls and the GIAS file as one typed Parquet file (never timed: a gift)
    copy     CSVS OUT        marks CSV to zstd Parquet with typed columns, no rules
    metrics  MARKS ROLL      every figure, each timed, and their sum
    totals   MARKS ROLL      the answers that are compared with Rollcall's (never timed)
    day      CSVS WEEK OUT   one day's returns compared with the stored week, what changed is written
    split    MARKS OUT       a year of marks as daily arrivals, each restating its week (never timed)

What DuckDB is let off, so that no doubt favours Rollcall: rules and refusals, landing, entry and leaving
dates, changed UPNs, codes whose meaning depends on the date, missing marks, compulsory school age in runs,
and every alert but two. How each query got its form, and what lost against it: README.md and
duckdb_formulations.py.
"""

import argparse
import csv
import glob
import json
import os
import sys
import time

import duckdb

THREADS = 2

# domain.md 1.1 and 1.3. A code that is in no list here is not a possible session.
PRESENT = ["/", "\\", "L"]
EDUCATED_ELSEWHERE = ["B", "K", "P", "V", "W", "J"]
AUTHORISED = ["C", "C1", "C2", "E", "I", "J1", "M", "R", "S", "T", "H", "F"]
UNAUTHORISED = ["G", "N", "O", "U"]
LATE = ["L", "U"]
NOT_POSSIBLE = ["D", "Q", "X", "Y", "Y1", "Y2", "Y3", "Y4", "Y5", "Y6", "Y7"]
# `#`, Z, a blank and any other text are in no list: they neither open a session nor end a run.

COUNTS = ["possible", "absent", "unauthorised", "late"]
FIELDS = [*COUNTS, "open_marks"]
BITS = 12  # sums are taken over a pupil's year or one session of one school: below 4096 both


# ---------------------------------------------------------------------------------------------- SQL pieces


def literal(text):
    """A SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def literals(values):
    """SQL string literals with commas between, for IN (...) and lists."""
    return ", ".join(map(literal, values))


def by_mark(values):
    """A constant map from code to value, looked up for each mark; null for any other text.

    Marks come out of Parquet dictionary-encoded, and DuckDB evaluates a map lookup once for each entry of the
    dictionary, not once a row: six times faster than `count(*) FILTER (WHERE mark IN (...))`.
    """
    return "map {" + ", ".join(f"{literal(code)}: {value}" for code, value in values.items()) + "}[mark]"


def packed_flags(code):
    """What one mark adds to each of FIELDS, in one integer, the first field in the lowest bits.

    One SUM of a packed integer is cheaper than five SUMs, and no field can carry into the next (see BITS).
    """
    absent = code in AUTHORISED + UNAUTHORISED
    possible = code not in NOT_POSSIBLE
    flags = [possible, absent, code in UNAUTHORISED, code in LATE, True]
    return sum(1 << (BITS * place) for place, flag in enumerate(flags) if flag)


EVERY_CODE = PRESENT + EDUCATED_ELSEWHERE + AUTHORISED + UNAUTHORISED + NOT_POSSIBLE
PACKED = f"sum({by_mark({code: packed_flags(code) for code in EVERY_CODE})})::BIGINT AS packed"
IS_POSSIBLE = f"({by_mark({code: 1 for code in EVERY_CODE if code not in NOT_POSSIBLE})} = 1)"
IS_UNAUTHORISED = by_mark(dict.fromkeys(UNAUTHORISED, "true"))
# 1: extends both runs (G, N, O); 2: extends only the run of ten (U); 4: ends both; null: is not there.
RUN_FLAG = by_mark({code: 1 if code in "GNO" else 2 if code == "U" else 4 for code in EVERY_CODE})

IS_PERSISTENT = "(possible > 0 AND 10 * absent >= possible)"
IS_SEVERE = "(possible > 0 AND 2 * absent >= possible)"
MONDAY = "date - (isodow(date) - 1)::INTEGER"
OUT_OF_COHORT = "(FROM roll WHERE NOT in_cohort)"


def unpacked():
    """The named fields back out of `packed`, which is null where a group has none of the codes."""
    mask = (1 << BITS) - 1
    return ", ".join(
        f"((coalesce(packed, 0) >> {BITS * place}) & {mask})::BIGINT AS {name}" for place, name in enumerate(FIELDS)
    )


def summed():
    """Sums of the counts and the absence rate over them."""
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in COUNTS)
    return f"{sums}, 100.0 * sum(absent) / nullif(sum(possible), 0) AS absence_percent"


# ------------------------------------------------------------------------------------------------- metrics


def metric_steps():
    """Each figure's name and SQL, in the order in which they feed each other.

    What several figures need is made once and timed as a line of its own: the sum is what counts, and a
    DuckDB user would do the same.
    """
    return [
        ("session totals (shared)", session_totals()),
        ("school-week", school_week()),
        ("weekday x session", weekday()),
        ("codes by school", school_code_year()),
        ("pupil-year with PA and SA", pupil_year()),
        ("child-year", child_year()),
        ("cohorts", cohort_year()),
        ("unauthorised marks (shared)", unauthorised_mark()),
        ("10-school-week window", ten_weeks()),
        ("runs of 10 and 20 days", runs_of_days()),
    ]


def session_totals():
    """Counts of each session of each school: 400 rows a school instead of one a mark.

    Out-of-cohort pupils are few, so the anti join has the small hash table.
    """
    return f"""CREATE TEMP TABLE session_total AS
        SELECT urn, date, session, {unpacked()}
        FROM (SELECT urn, date, session, {PACKED}
              FROM marks ANTI JOIN {OUT_OF_COHORT} AS outside USING (upn) GROUP BY ALL)"""


def school_week():
    """metrics.school_week, and whether the school was open at all in that week."""
    return f"""CREATE TEMP TABLE school_week AS
        SELECT urn, {MONDAY} AS week_start, {summed()}, sum(open_marks) > 0 AS is_open
        FROM session_total GROUP BY ALL"""


def weekday():
    """metrics.weekday."""
    return f"""CREATE TEMP TABLE weekday AS
        SELECT phase, isodow(date) AS weekday, session, {summed()}
        FROM session_total JOIN school USING (urn) GROUP BY ALL"""


def school_code_year():
    """metrics.school_code_year. A scan of its own: grouping by code in `session_total` costs more than this."""
    return f"""CREATE TEMP TABLE school_code_year AS
        SELECT urn, mark AS code, sessions,
               100.0 * sessions / nullif(sum(sessions) FILTER (WHERE {IS_POSSIBLE}) OVER (PARTITION BY urn), 0)
                   AS percent_of_possible
        FROM (SELECT urn, mark, count(*) AS sessions
              FROM marks ANTI JOIN {OUT_OF_COHORT} AS outside USING (upn) GROUP BY ALL)"""


def pupil_year():
    """metrics.pupil_year. The cohort is applied to pupils, not to marks."""
    return f"""CREATE TEMP TABLE pupil_year AS
        SELECT urn, upn, {", ".join(COUNTS)}, 100.0 * absent / nullif(possible, 0) AS absence_percent,
               {IS_PERSISTENT} AS is_persistent, {IS_SEVERE} AS is_severe
        FROM (SELECT urn, upn, {unpacked()}
              FROM (SELECT urn, upn, {PACKED} FROM marks GROUP BY ALL))
        ANTI JOIN {OUT_OF_COHORT} AS outside USING (upn)"""


def child_year():
    """metrics.child_year: a child's schools together."""
    return f"""CREATE TEMP TABLE child_year AS
        SELECT *, {IS_PERSISTENT} AS is_persistent, {IS_SEVERE} AS is_severe
        FROM (SELECT upn, count(*) AS schools, {summed()} FROM pupil_year GROUP BY upn)"""


def cohort_year():
    """metrics.cohort_year: the cohorts that a roll file can tell apart."""
    return f"""CREATE TEMP TABLE cohort_year AS
        SELECT phase, sex, fsm, sen, nc_year, count(*) FILTER (WHERE possible > 0) AS enrolments, {summed()},
               count(*) FILTER (WHERE is_persistent) AS persistent, count(*) FILTER (WHERE is_severe) AS severe
        FROM pupil_year JOIN roll USING (urn, upn) JOIN school USING (urn)
        GROUP BY GROUPING SETS ((phase, sex), (phase, fsm), (phase, sen), (phase, nc_year))"""


def unauthorised_mark():
    """G, N, O and U of the children who have ten of them in the year: all that the last two figures can find."""
    return f"""CREATE TEMP TABLE unauthorised_mark AS
        SELECT urn, upn, date FROM marks
        WHERE {IS_UNAUTHORISED} AND upn IN (SELECT upn FROM child_year WHERE unauthorised >= 10)"""


def ten_weeks():
    """Children with 10 or more of G, N, O, U within any 10 successive weeks in which a school of theirs was open.

    Open weeks are numbered once for each school (or set of schools that share a child), not for each child, and
    the window runs over the weeks with such a mark only.
    """
    return f"""CREATE TEMP TABLE ten_weeks AS
        WITH in_week AS (
            SELECT upn, {MONDAY} AS week_start, count(*) AS sessions FROM unauthorised_mark GROUP BY ALL
        ), child AS (
            SELECT upn, list(urn ORDER BY urn) AS schools
            FROM pupil_year SEMI JOIN unauthorised_mark USING (upn) GROUP BY upn
        ), open_week AS (
            SELECT DISTINCT schools, week_start
            FROM (SELECT schools, unnest(schools) AS urn FROM (SELECT DISTINCT schools FROM child))
            JOIN (FROM school_week WHERE is_open) USING (urn)
        ), numbered AS (
            SELECT *, row_number() OVER (PARTITION BY schools ORDER BY week_start) AS nth FROM open_week
        ), sliding AS (
            SELECT upn, week_start, sum(sessions) OVER (PARTITION BY upn ORDER BY nth RANGE 9 PRECEDING) AS sessions
            FROM in_week JOIN child USING (upn) JOIN numbered USING (schools, week_start)
        )
        SELECT upn, max(sessions)::BIGINT AS sessions, arg_max(week_start, sessions) AS last_week
        FROM sliding WHERE sessions >= 10 GROUP BY upn"""


def runs_of_days():
    """Enrolments with 10 or more successive days of G, N, O, U (20 or more of G, N, O).

    Narrowed three times before the window: children with 10 such sessions, with such a mark on 10 days, and
    enrolments with 10 days of nothing else. A run is told from the next by the number of days before it that
    ended runs; days without a mark, or with only # or Z, are not there at all.
    """
    return f"""CREATE TEMP TABLE run_of_days AS
        WITH child AS (
            SELECT upn FROM (SELECT DISTINCT upn, date FROM unauthorised_mark) GROUP BY upn HAVING count(*) >= 10
        ), day AS MATERIALIZED (
            SELECT urn, upn, date, bit_or({RUN_FLAG}) AS flags
            FROM marks WHERE upn IN (FROM child) GROUP BY ALL HAVING flags IS NOT NULL
        ), enrolment AS (
            SELECT urn, upn FROM day WHERE flags < 4 GROUP BY ALL HAVING count(*) >= 10
        ), numbered AS MATERIALIZED (
            SELECT *, count(*) FILTER (WHERE flags >= 4) OVER so_far AS ten_run,
                   count(*) FILTER (WHERE flags >= 2) OVER so_far AS twenty_run
            FROM day SEMI JOIN enrolment USING (urn, upn)
            WINDOW so_far AS (PARTITION BY urn, upn ORDER BY date ROWS UNBOUNDED PRECEDING)
        )
        SELECT 10 AS rule, urn, upn, min(date) AS event_from, max(date) AS event_to, count(*) AS days
        FROM numbered WHERE flags < 4 GROUP BY urn, upn, ten_run HAVING count(*) >= 10
        UNION ALL
        SELECT 20, urn, upn, min(date), max(date), count(*)
        FROM numbered WHERE flags = 1 GROUP BY urn, upn, twenty_run HAVING count(*) >= 20"""


# ----------------------------------------------------------------------------------------------- reading CSV


def squeezed(header):
    """A header name as the contract matches it: no case, no spaces, no underscores."""
    return header.strip().lower().replace(" ", "").replace("_", "")


def csv_files(folder):
    """Every CSV file under a folder, in name order."""
    return sorted(glob.glob(os.path.join(folder, "**", "*.csv"), recursive=True))


def first_rows(path):
    """The header and the first row of a CSV file. Latin-1 reads any bytes, and both are ASCII but for a BOM."""
    with open(path, encoding="latin-1", newline="") as file:
        rows = csv.reader(file)
        header = [squeezed(name.removeprefix("ï»¿")) for name in next(rows, [])]
        return header, next(rows, [])


def dialects(paths):
    """Marks files grouped by column order and date format, so that DuckDB need not sniff each one."""
    groups = {}
    for path in paths:
        header, row = first_rows(path)
        if "mark" in header:
            british = len(row) == len(header) and "/" in row[header.index("date")]
            groups.setdefault((tuple(header), british), []).append(path)
    if not groups:
        sys.exit("no marks files: no CSV with a Mark column")
    return groups


MARK_TYPES = {"urn": "INTEGER", "upn": "VARCHAR", "date": "DATE", "session": "ENUM('AM', 'PM')", "mark": "VARCHAR"}


def read_marks(folder, dirty=False):
    """A SELECT of the typed marks in a folder.

    Types are given, not sniffed. Of the shapes tried (mark as VARCHAR, as ENUM, as its number; session as
    BOOLEAN, as number, as ENUM; quoting off; larger buffers) none copies faster and none smaller than this.
    A row that a type refuses stops a clean load and is skipped in a dirty one.
    """
    selects = []
    for (header, british), paths in dialects(csv_files(folder)).items():
        columns = ", ".join(f"{literal(name)}: {literal(MARK_TYPES.get(name, 'VARCHAR'))}" for name in header)
        options = [
            "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"'",
            f"columns = {{{columns}}}",
            "dateformat = '%d/%m/%Y'" if british else "",
            "ignore_errors = true, strict_mode = false, null_padding = true" if dirty else "",
        ]
        how = ", ".join(filter(None, options))
        selects.append(f"SELECT {', '.join(MARK_TYPES)} FROM read_csv([{literals(paths)}], {how})")
    return " UNION ALL ".join(selects)


def connect():
    """DuckDB as the bench fixes it: two threads, order of no interest, the rest as it comes."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}; SET preserve_insertion_order = false")
    return connection


def timed(connection, sql):
    """Seconds, and the count that a CREATE TABLE AS or COPY reports."""
    begun = time.monotonic()
    rows = connection.execute(sql).fetchall()
    return time.monotonic() - begun, rows[0][0] if rows else 0


# ------------------------------------------------------------------------------------------------ subcommands


def copy(args):
    """CSV to Parquet: the baseline of the backfill."""
    select = read_marks(args.csvs, args.dirty)
    seconds, rows = timed(connect(), f"COPY ({select}) TO {literal(args.out)} (FORMAT parquet, COMPRESSION zstd)")
    return {"seconds": seconds, "rows": rows, "bytes": os.path.getsize(args.out)}


def yes(text):
    """A yes/no column of a roll as true, false or unknown."""
    words = {"true": ("y", "yes", "true", "1"), "false": ("n", "no", "false", "0")}
    return next((truth for truth, said in words.items() if text.lower() in said), "")


def phase_of(school):
    """The contract's `phase` from a row of the GIAS file."""
    kind, phase = school.get("typeofestablishment(name)", "").lower(), school.get("phaseofeducation(name)", "")
    if "special" in kind:
        return "Special"
    if "alternative provision" in kind or "pupil referral" in kind:
        return "Alternative provision"
    return {"Middle deemed primary": "Primary", "Middle deemed secondary": "Secondary"}.get(
        phase, phase if phase in ("Primary", "Secondary") else "Other"
    )


def dictionaries(path):
    """The rows of a CSV file by squeezed header. What is not UTF-8 is in names, which no figure reads."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        header = [squeezed(name) for name in next(rows, [])]
        for row in rows:
            yield dict(zip(header, row))


def prepare(args):
    """Rolls and schools as one Parquet file, a row an enrolment."""
    phases, roll = {}, {}
    for path in csv_files(args.arrival):
        header, _ = first_rows(path)
        for row in dictionaries(path) if "urn" in header else ():
            if "phaseofeducation(name)" in header:
                phases[row["urn"]] = phase_of(row)
            elif "dob" in header:
                roll[row["urn"], row["upn"]] = row
    listing = args.out + ".csv"
    with open(listing, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for (urn, upn), row in roll.items():
            writer.writerow([urn, upn, row["dob"], row.get("sex", ""), yes(row.get("fsm", "")), row.get("sen", ""),
                             row.get("ncyear", ""), phases.get(urn, "Other")])  # fmt: skip
    types = {"urn": "INTEGER", "upn": "VARCHAR", "dob": "DATE", "sex": "VARCHAR", "fsm": "BOOLEAN", "sen": "VARCHAR",
             "nc_year": "VARCHAR", "phase": "VARCHAR"}  # fmt: skip
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    cohort = f"dob > DATE '{args.year - 16}-08-31' AND dob <= DATE '{args.year - 5}-08-31'"
    connect().execute(
        f"""COPY (SELECT *, coalesce({cohort}, false) AS in_cohort
                  FROM read_csv({literal(listing)}, auto_detect = false, header = false, columns = {{{columns}}}))
            TO {literal(args.out)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    os.remove(listing)
    return {"enrolments": len(roll), "schools": len(phases)}


def open_year(args):
    """A connection that holds `marks`, `roll` and `school`. The roll is loaded before any clock starts."""
    connection = connect()
    marks = literal(args.marks)
    if getattr(args, "known_on", None):
        # On the evening of a day, its own marks stood as first sent and all before it stood corrected.
        day, amended = literal(args.known_on), literal(args.corrections)
        marks = f"""(SELECT urn, upn, date, session, coalesce(sent_first, mark) AS mark
                     FROM {marks} LEFT JOIN (FROM {amended} WHERE date = {day}::DATE) USING (urn, upn, date, session)
                     WHERE date <= {day}::DATE)"""
    connection.execute(f"CREATE VIEW marks AS FROM {marks}")
    connection.execute(f"CREATE TEMP TABLE roll AS SELECT * EXCLUDE (phase) FROM {literal(args.roll)}")
    connection.execute(f"CREATE TEMP TABLE school AS SELECT DISTINCT urn, phase FROM {literal(args.roll)}")
    return connection


def metrics(args):
    """Every figure from nothing."""
    connection, steps = open_year(args), {}
    for name, sql in metric_steps():
        steps[name] = timed(connection, sql)[0]
    return {"seconds": sum(steps.values()), "steps": steps}


def totals(args):
    """What is compared with Rollcall, by the name of the view that holds it there."""
    connection = open_year(args)
    for _, sql in metric_steps():
        connection.execute(sql)
    flags = "count(*) FILTER (WHERE is_persistent) AS persistent, count(*) FILTER (WHERE is_severe) AS severe"
    queries = {
        "pupil_year": f"SELECT {summed()}, sum(absent - unauthorised)::BIGINT AS authorised, {flags} FROM pupil_year",
        "child_year": f"SELECT {summed()}, {flags} FROM child_year",
        "school_week": f"SELECT {summed()} FROM school_week",
        "weekday": f"SELECT {summed()} FROM weekday",
        "school_code_year": "SELECT sum(sessions) FILTER (WHERE code = 'I')::BIGINT AS ill,"
        " sum(sessions) FILTER (WHERE code = 'O')::BIGINT AS other FROM school_code_year",
        "alerts": "SELECT (SELECT count(*) FROM ten_weeks) AS penalty_threshold,"
        " (SELECT count(DISTINCT (urn, upn)) FROM run_of_days WHERE rule = 10) AS unauthorised_10_days,"
        " (SELECT count(DISTINCT (urn, upn)) FROM run_of_days WHERE rule = 20) AS unauthorised_20_days",
    }
    answers = {}
    for view, sql in queries.items():
        cursor = connection.execute(sql)
        row = dict(zip([column[0] for column in cursor.description], cursor.fetchone()))
        answers[view] = {name: int(value or 0) for name, value in row.items() if name != "absence_percent"}
    days = connection.execute("SELECT min(date), max(date), count(*) FROM marks").fetchone()
    return {**answers, "first_day": str(days[0]), "last_day": str(days[1]), "rows": days[2]}


def day(args):
    """One day's returns: what they change in the stored week."""
    sql = f"""COPY (FROM ({read_marks(args.csvs)}) ANTI JOIN {literal(args.week)} USING (urn, upn, date, session, mark))
              TO {literal(args.out)} (FORMAT parquet, COMPRESSION zstd)"""
    seconds, rows = timed(connect(), sql)
    return {"seconds": seconds, "changed": rows}


def correctable(share):
    """The SELECT of the marks to be sent wrongly at first, `share` of all.

    Only a mark that its school restates on a later day of the same week can be put right, so the Fridays' share
    falls on the other days. A wrong mark is N, as it is in life; a true N is first O.
    """
    return f"""
        WITH restated AS (
            SELECT urn, upn, date, session, mark
            FROM marks JOIN (SELECT urn, {MONDAY} AS monday, max(date) AS last FROM marks GROUP BY ALL) AS week
                       USING (urn)
            WHERE monday = {MONDAY} AND date < last AND mark IN ({literals(EVERY_CODE)})
        )
        SELECT urn, upn, date, session, CASE mark WHEN 'N' THEN 'O' ELSE 'N' END AS sent_first
        FROM restated
        WHERE hash(upn, date, session) % 1000000 <
              {share} * 1000000 * (SELECT count(*) FROM marks) / (SELECT count(*) FROM restated)"""


def split(args):
    """A year of marks as one arrival a school day; every file states its school's week so far."""
    connection = connect()
    connection.execute(f"CREATE VIEW marks AS FROM {literal(args.marks)}")
    corrections = os.path.join(args.out, "corrections.parquet")
    os.makedirs(os.path.join(args.out, "arrivals"), exist_ok=True)
    corrected = timed(connection, f"COPY ({correctable(args.corrected)}) TO {literal(corrections)} (FORMAT parquet)")[1]
    mondays = connection.execute(f"SELECT DISTINCT {MONDAY} FROM marks ORDER BY 1").fetchall()
    count = 0
    for (monday,) in mondays:
        for date, bodies in week_bodies(connection, corrections, monday):
            count += 1
            write_arrival(os.path.join(args.out, "arrivals", f"{count:03}_{date}T18:00:00Z"), date, bodies)
    rows = connection.execute("SELECT count(*) FROM marks").fetchone()[0]
    return {"arrivals": count, "corrected": corrected, "rows": rows}


def week_bodies(connection, corrections, monday):
    """For each school day of a week, each school's file body: its days before as they stand, this day as first sent."""
    line = "urn || ',' || upn || ',' || date || ',' || session || ','"
    rows = connection.execute(
        f"""SELECT date, urn, string_agg(line || mark || chr(10), '' ORDER BY upn, session),
                   string_agg(line || coalesce(sent_first, mark) || chr(10), '' ORDER BY upn, session)
            FROM (SELECT urn, upn, date, session::VARCHAR AS session, mark, sent_first, {line} AS line
                  FROM marks LEFT JOIN {literal(corrections)} USING (urn, upn, date, session)
                  WHERE date BETWEEN ?::DATE AND ?::DATE + 6)
            GROUP BY date, urn ORDER BY date, urn""",
        [monday, monday],
    ).fetchall()
    before = {}
    for date in sorted({row[0] for row in rows}):
        today = [row for row in rows if row[0] == date]
        yield date, {urn: before.get(urn, "") + first for _, urn, _, first in today}
        for _, urn, final, _ in today:
            before[urn] = before.get(urn, "") + final


def write_arrival(folder, date, bodies):
    """One day's files of all schools."""
    os.makedirs(folder, exist_ok=True)
    for urn, body in bodies.items():
        with open(os.path.join(folder, f"marks_{urn}_{date}.csv"), "w", encoding="ascii", newline="") as file:
            file.write("URN,UPN,Date,Session,Mark\n" + body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    def command(function, *positional):
        sub = commands.add_parser(function.__name__, help=function.__doc__.split("\n")[0])
        for name in positional:
            sub.add_argument(name)
        sub.set_defaults(function=function)
        return sub

    command(prepare, "arrival", "out").add_argument("--year", type=int, required=True)
    command(copy, "csvs", "out").add_argument("--dirty", action="store_true")
    command(metrics, "marks", "roll")
    known = command(totals, "marks", "roll")
    known.add_argument("--known-on", help="as it was believed on the evening of this day")
    known.add_argument("--corrections", help="the file that `split` wrote beside its arrivals")
    command(day, "csvs", "week", "out")
    command(split, "marks", "out").add_argument("--corrected", type=float, default=0.05)
    args = parser.parse_args()
    print(json.dumps(args.function(args)))


if __name__ == "__main__":
    main()
