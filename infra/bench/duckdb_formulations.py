#!/usr/bin/env python3
"""What else was tried in DuckDB: the baseline's claim to be DuckDB's best, in a form that can be run again.

    duckdb_formulations.py MARKS ROLL [--rounds 3] [--day CSVS WEEK]

Each formulation runs in a process of its own, in turn with the others, and must give the same answer as the
one that won (the first of its figure, the one in duckdb_baseline.py). Prints a Markdown table.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import duckdb_baseline as baseline
from duckdb_baseline import MONDAY, OUT_OF_COHORT, literals

IN_COHORT = f"marks ANTI JOIN {OUT_OF_COHORT} AS outside USING (upn)"
POSSIBLE = literals(code for code in baseline.EVERY_CODE if code not in baseline.NOT_POSSIBLE)
ABSENT = literals(baseline.AUTHORISED + baseline.UNAUTHORISED)
UNAUTHORISED = literals(baseline.UNAUTHORISED)
IF_POSSIBLE, IF_ABSENT = f"FILTER (WHERE mark IN ({POSSIBLE}))", f"FILTER (WHERE mark IN ({ABSENT}))"
FILTERED = f"count(*) {IF_POSSIBLE} AS possible, count(*) {IF_ABSENT} AS absent"
BY_CODE = f"sum(n) {IF_POSSIBLE} AS possible, sum(n) {IF_ABSENT} AS absent"
CLASSES = f"""SELECT mark, (mark IN ({POSSIBLE}))::INTEGER AS is_possible, (mark IN ({ABSENT}))::INTEGER AS is_absent
              FROM (SELECT unnest([{literals(baseline.EVERY_CODE)}]) AS mark)"""
JOINED = f"JOIN ({CLASSES}) AS class USING (mark)"
CHECK = "SELECT count(*), sum(possible), sum(absent) FROM "
CHECK_RUNS = "SELECT rule, count(*), sum(days) FROM run_of_days GROUP BY rule ORDER BY rule"


def figures():
    """For each figure, its formulations as lists of SQL; the last statement gives the answer to compare."""
    feed = [sql for name, sql in baseline.metric_steps() if name != "runs of 10 and 20 days"]
    return {
        "school-week": {
            "a sum of packed integers from a map, by session, then by week": [
                baseline.session_totals(), baseline.school_week(), CHECK + "school_week"],
            "count by code first, classify the few rows": [
                f"{CHECK} (SELECT urn, {MONDAY}, {BY_CODE} FROM (SELECT urn, date, mark, count(*) AS n"
                f" FROM {IN_COHORT} GROUP BY ALL) GROUP BY ALL)"],
            "count(*) FILTER (WHERE mark IN (...))": [
                f"{CHECK} (SELECT urn, {MONDAY}, {FILTERED} FROM {IN_COHORT} GROUP BY ALL)"],
        },
        "pupil-year": {
            "a sum of packed integers from a map": [baseline.pupil_year(), CHECK + "pupil_year"],
            "count by code first, classify the few rows": [
                f"{CHECK} (SELECT urn, upn, {BY_CODE} FROM (SELECT urn, upn, mark, count(*) AS n"
                f" FROM {IN_COHORT} GROUP BY ALL) GROUP BY ALL)"],
            "join with a table of codes": [
                f"{CHECK} (SELECT urn, upn, sum(is_possible) AS possible, sum(is_absent) AS absent"
                f" FROM {IN_COHORT} {JOINED} GROUP BY ALL)"],
            "count(*) FILTER (WHERE mark IN (...))": [
                f"{CHECK} (SELECT urn, upn, {FILTERED} FROM {IN_COHORT} GROUP BY ALL)"],
            "from a table of pupil-weeks that all figures could share": [
                f"CREATE TEMP TABLE pupil_week AS SELECT urn, upn, {MONDAY} AS week_start, {baseline.PACKED}"
                " FROM marks GROUP BY ALL",
                f"{CHECK} (SELECT urn, upn, {baseline.unpacked()} FROM (SELECT urn, upn, sum(packed)::BIGINT AS packed"
                f" FROM pupil_week GROUP BY ALL) ANTI JOIN {OUT_OF_COHORT} AS outside USING (upn))"],
        },
        "runs of days (what feeds it not timed)": {
            "children narrowed three times, then one window": [*feed, baseline.runs_of_days(), CHECK_RUNS],
            "enrolments narrowed once, then one window": [*feed, plain_runs("WHERE unauthorised >= 10"), CHECK_RUNS],
            "a window over every enrolment": [*feed, plain_runs(""), CHECK_RUNS],
        },
    }  # fmt: skip


def plain_runs(narrowed):
    """Runs as they are usually written: classify days, number the breaks, count within."""
    return f"""CREATE TEMP TABLE run_of_days AS
        WITH day AS (
            SELECT urn, upn, date, bool_and(mark IN ({UNAUTHORISED})) AS ten,
                   bool_and(mark IN ('G', 'N', 'O')) AS twenty
            FROM marks SEMI JOIN (FROM pupil_year {narrowed}) AS kept USING (urn, upn)
            WHERE mark IN ({literals(baseline.EVERY_CODE)}) GROUP BY ALL
        ), numbered AS (
            SELECT *, count(*) FILTER (WHERE NOT ten) OVER so_far AS ten_run,
                   count(*) FILTER (WHERE NOT twenty) OVER so_far AS twenty_run
            FROM day WINDOW so_far AS (PARTITION BY urn, upn ORDER BY date ROWS UNBOUNDED PRECEDING)
        )
        SELECT 10 AS rule, count(*) AS days FROM numbered WHERE ten GROUP BY urn, upn, ten_run HAVING days >= 10
        UNION ALL
        SELECT 20, count(*) AS days FROM numbered WHERE twenty GROUP BY urn, upn, twenty_run HAVING days >= 20"""


def day_formulations(csvs, week):
    """Ways to find what one day's returns change in the stored week."""
    new, old = f"({baseline.read_marks(csvs)})", baseline.literal(week)
    key = "urn, upn, date, session"
    same = " AND ".join(f"old.{name} = new.{name}" for name in (*key.split(", "), "mark"))
    either = f"SELECT *, true AS new FROM {new} UNION ALL SELECT *, false FROM {old}"
    said = "max(mark) FILTER (new)"
    ways = {
        "anti join on all five columns": f"FROM {new} ANTI JOIN {old} USING ({key}, mark)",
        "left join, mark IS DISTINCT FROM": f"SELECT new.* FROM {new} AS new LEFT JOIN {old} AS old USING ({key})"
        " WHERE old.mark IS DISTINCT FROM new.mark",
        "EXCEPT": f"(SELECT * REPLACE (session::VARCHAR AS session) FROM {new}) EXCEPT FROM {old}",
        "NOT EXISTS": f"FROM {new} AS new WHERE NOT EXISTS (FROM {old} AS old WHERE {same})",
        "group both sides by the key": f"SELECT {key}, {said} AS mark FROM ({either}) GROUP BY ALL"
        f" HAVING {said} IS DISTINCT FROM max(mark) FILTER (NOT new)",
    }  # fmt: skip
    check = "SELECT count(*), count(DISTINCT upn) FROM changed"
    return {"day": {name: [f"CREATE TEMP TABLE changed AS {sql}", check] for name, sql in ways.items()}}


def every_figure(args):
    return {**figures(), **(day_formulations(*args.day) if args.day else {})}


def run_one(args):
    """One formulation in this process. Time is that of the statements before the check, or of the check alone."""
    statements = every_figure(args)[args.figure][args.way]
    connection = baseline.open_year(args)
    untimed = len(statements) - 2 if "not timed" in args.figure else 0
    for sql in statements[:untimed]:
        connection.execute(sql)
    begun, cpu = time.monotonic(), time.process_time()
    for sql in statements[untimed:]:
        answer = connection.execute(sql).fetchall()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.monotonic() - begun, "cpu": time.process_time() - cpu, "peak_mb": peak,
            "answer": [[int(cell) for cell in row] for row in answer]}  # fmt: skip


def compare(args):
    """All formulations in turn, each in a process of its own."""
    print("| figure | formulation | s | CPU s | peak MB | times the best |\n|---|---|---|---|---|---|")
    for figure, ways in every_figure(args).items():
        runs = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way in ways:
                child = subprocess.run([sys.executable, *sys.argv, "--figure", figure, "--way", way],
                                       capture_output=True, text=True, check=True)  # fmt: skip
                runs[way].append(json.loads(child.stdout))
        best = median(next(iter(runs.values())), "seconds")
        expected = next(iter(runs.values()))[0]["answer"]
        for way, done in runs.items():
            if done[0]["answer"] != expected:
                sys.exit(f"{figure}: {way} answers {done[0]['answer']}, expected {expected}")
            seconds = median(done, "seconds")
            print(f"| {figure} | {way} | {seconds:.3f} | {median(done, 'cpu'):.3f} | {median(done, 'peak_mb'):.0f}"
                  f" | {seconds / best:.2f} |", flush=True)  # fmt: skip


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("marks", type=os.path.abspath), parser.add_argument("roll", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--day", nargs=2, metavar=("CSVS", "WEEK"), help="one day's returns and the stored week")
    parser.add_argument("--figure", help=argparse.SUPPRESS), parser.add_argument("--way", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(run_one(args)))
    else:
        compare(args)


if __name__ == "__main__":
    main()
