//! The command as a new user meets it: what works, and what each wrong word, file or configuration says.

use crate::authority::{A, B, all_files, roll, rollcall, said, started, week};

const C: &str = "T850200720001";

#[test]
fn a_first_week_from_files_to_figures() {
    let authority = started();
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\I."), (B, "/\\/\\/\\/\\/\\")]);
    let out = authority.receive("2026-09-11T18:00:00Z", &[("marks_140001.csv", &marks)]);
    assert!(said(&out).contains("19 rows in = 19 kept + 0 refused"), "{}", said(&out));
    let year = "SELECT upn, possible, absent, missing_marks FROM metrics.pupil_year";
    assert_eq!(authority.ask(year, &["--as-of", "2026-09-11"]), [format!("{B},10,0,0"), format!("{A},9,1,1")]);
    // As known before the marks came, and up to the day before the last.
    assert_eq!(
        authority.ask(year, &["--as-of", "2026-09-11", "--known-at", "2026-09-10"]),
        [format!("{B},0,0,0"), format!("{A},0,0,0")]
    );
    assert_eq!(authority.ask(year, &["--as-of", "2026-09-10"]), [format!("{B},8,0,0"), format!("{A},8,0,0")]);
    assert!(authority.ok(&["explain", "metrics.pupil_year"]).contains("one row for each"));
    assert!(authority.ok(&["check"]).contains("plan"));
    assert!(authority.ok(&["doctor"]).contains("each whole"));
}

#[test]
fn explain_says_what_a_figure_means_and_what_is_run() {
    let authority = started();
    authority.receive("2026-09-11T18:00:00Z", &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\")]))]);
    authority.ok(&["build", "--as-of", "2026-09-11"]);
    let told = authority.ok(&["explain", "metrics.school_year", "--known-at", "2026-09-12"]);
    let json = authority.ok(&["explain", "metrics.school_year", "--known-at", "2026-09-12", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let listed =
        "SELECT name, sha256, about, kind, grain, version FROM catalogue.definition WHERE name = 'metrics.school_year'";
    let listed = authority.ok(&["query", listed, "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    // Its meaning is the file's: the same words and the same hash wherever it is asked for.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql/metrics/school_year.sql");
    let file = std::fs::read_to_string(file).unwrap();
    let about = listed["about"].as_str().unwrap();
    assert!(file.contains(about) && told.contains(about) && json["header"]["about"] == about, "{told}");
    let sha256 = lake::path::hex(&<sha2::Sha256 as sha2::Digest>::digest(&file));
    assert_eq!((&listed["sha256"], &json["sha256"]), (&sha256.clone().into(), &sha256.clone().into()));
    assert!(told.contains(&sha256), "{told}");
    assert_eq!((&listed["kind"], &listed["version"]), (&"metrics".into(), &json["header"]["version"]));
    assert_eq!(listed["grain"], "urn, academic_year");
    // What it reads, who may see each column, with which times it is run, and when it was kept.
    for reads in json["reads"].as_array().unwrap() {
        let name = reads.as_str().unwrap();
        assert!(file.contains(name) && told.contains(name), "{name}: {told}");
    }
    let sql = json["sql"].as_str().unwrap();
    assert!(sql.lines().all(|line| told.contains(line)) && sql.contains("FROM metrics.pupil_year"), "{told}");
    let of_a_day = authority.ok(&["explain", "tables.enrolment_year", "--as-of", "2026-09-11"]);
    assert!(of_a_day.contains("y.last_day, DATE '2026-09-11')"), "{of_a_day}");
    let column = |name: &str| told.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned();
    assert!(column("absence_percent ").contains(" area ") && column("phase ").contains(" public "), "{told}");
    let built: chrono::DateTime<chrono::Utc> = json["last_built"].as_str().unwrap().parse().unwrap();
    assert!(2026 <= chrono::Datelike::year(&built), "{built}");
    // A rule says what it does with what it finds; what is not kept says so.
    let rule = authority.ok(&["explain", "rules.unknown_urn"]);
    assert!(rule.contains("outcome           refuse_row") && rule.contains("not kept"), "{rule}");
}

#[test]
fn an_answer_comes_in_four_forms_and_the_configuration_from_anywhere() {
    let authority = started();
    authority.receive(
        "2026-09-11T18:00:00Z",
        &[("m.csv", &week(140001, "2026-09-07", &[(A, "/\\II/\\/\\.."), (B, "/\\/\\/\\/\\/\\")]))],
    );
    let sql = "SELECT upn, possible, absent, absence_percent, is_severe FROM metrics.pupil_year ORDER BY possible";
    let config = authority.lake().join("rollcall.toml");
    // Asked from another folder.
    let ask = |form: &str| {
        let asked = ["--config", config.to_str().unwrap(), "query", sql, "--as-of", "2026-09-11", "--format", form];
        let out = rollcall().args(asked).current_dir("/").output().unwrap();
        assert!(out.status.success(), "{}", said(&out));
        out.stdout
    };
    let text = |form: &str| String::from_utf8(ask(form)).unwrap();
    assert_eq!(
        text("csv"),
        format!("upn,possible,absent,absence_percent,is_severe\n{A},8,2,25.0,false\n{B},10,0,0.0,false\n")
    );
    let first = format!("{{\"upn\":\"{A}\",\"possible\":8,\"absent\":2,\"absence_percent\":25.0,\"is_severe\":false}}");
    assert_eq!(text("json").lines().next(), Some(first.as_str()));
    let table = text("table");
    assert!(table.contains("| upn") && table.contains(&format!("| {A} | 8        | 2      | 25.0")), "{table}");
    let parquet = bytes::Bytes::from(ask("parquet"));
    let rows = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
    let rows: Vec<_> = rows.build().unwrap().map(Result::unwrap).collect();
    let mut csv = arrow::csv::Writer::new(Vec::new());
    rows.iter().for_each(|batch| csv.write(batch).unwrap());
    assert_eq!(String::from_utf8(csv.into_inner()).unwrap(), text("csv"));
    let out = authority.run(&["--config", "/no/such.toml", "doctor"]);
    assert!(!out.status.success() && said(&out).contains("/no/such.toml"), "{}", said(&out));
    let new = authority.lake().join("another");
    let made = rollcall().args(["init", "--json", "--la-code", "851"]).arg(&new).output().unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["configuration"], new.join("rollcall.toml").to_str().unwrap());
}

#[test]
fn rows_of_an_unnested_list_are_told_apart_by_what_is_grouped_after() {
    let authority = started();
    let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\II/\\/\\..")]);
    authority.receive("2026-09-11T18:00:00Z", &[("marks.csv", &marks)]);
    let ask = |sql: &str| authority.ask(sql, &["--as-of", "2026-09-11"]);
    // A child is one of a school's list, a day one of its sessions'; neither is needed but to be counted.
    let children = "SELECT count(*) FROM (SELECT urn, x FROM (SELECT urn, unnest(array_agg(pupil_key)) AS x \
                    FROM tables.enrolment GROUP BY urn) GROUP BY urn, x)";
    assert_eq!(ask(children), ["2"]);
    assert_eq!(ask(&format!("SELECT ({children}) AS n")), ["2"]);
    let days = "SELECT count(*) FROM (SELECT DISTINCT urn, academic_year, in_cohort, date FROM tables.school_session)";
    assert_eq!(ask(days), ["5"]);
    let days = "SELECT count(*) FROM (SELECT DISTINCT urn, s['date'] FROM (SELECT urn, unnest(counts_by_session(session_counts(register))) AS s \
                FROM tables.register_year GROUP BY urn))";
    assert_eq!(ask(days), ["5"]);
}

#[test]
fn wrong_words_say_what_to_do() {
    let authority = started();
    let cases: [(&[&str], &str); 9] = [
        (&["query", "SELECT * FROM metrics.pupil_yaer"], "the nearest is metrics.pupil_year"),
        (&["query", "SELECT * FROM ledger.problem"], "the nearest is quality.problem"),
        (&["query", "DROP TABLE metrics.pupil_year"], "only a SELECT is answered"),
        (&["query", "SELECT (1"], "cannot be read as SQL: Expected: )"),
        (&["query", "SELECT 1; SELECT 2"], "2 statements"),
        (&["explain", "metrics.nothing"], "lists what there is"),
        (&["explain", "reference.attendance_cod"], "the nearest is reference.attendance_code"),
        (&["ingest", "/no/such/folder"], "/no/such/folder"),
        (&["query", "SELECT 1", "--known-at", "yesterday"], "2026-11-21"),
    ];
    for (arguments, says) in cases {
        let out = authority.run(arguments);
        assert!(!out.status.success(), "{arguments:?}");
        assert!(said(&out).contains(says), "{arguments:?}: {}", said(&out));
        assert!(!said(&out).contains("panicked"), "{arguments:?}: {}", said(&out));
    }
    // A definition of one's own that does not plan is told once, whatever the errors of a library quote.
    let overlay = authority.lake().join("own/metrics");
    std::fs::create_dir_all(&overlay).unwrap();
    let sql = include_str!("../sql/metrics/area_year.sql").replace("la_code", "la_kode");
    std::fs::write(overlay.join("mine.sql"), sql).unwrap();
    let out = rollcall().arg("check").current_dir(authority.lake()).env("ROLLCALL_SQL", "own").output().unwrap();
    let told = said(&out);
    assert!(!out.status.success() && told.contains("metrics.mine cannot be planned"), "{told}");
    assert_eq!(told.matches("No field named").count(), 1, "{told}");

    // Nor does a pipeline that cannot be run wait for its night.
    std::fs::create_dir_all(authority.lake().join("pipelines")).unwrap();
    std::fs::write(authority.lake().join("pipelines/p.toml"), "about = 'x'\n[[step]]\npublish = 'metricz'\n").unwrap();
    let out = authority.run(&["check"]);
    assert!(!out.status.success() && said(&out).contains("metricz"), "{}", said(&out));
    std::fs::remove_file(authority.lake().join("pipelines/p.toml")).unwrap();

    let nowhere = tempfile::tempdir().unwrap();
    let out = rollcall().arg("check").current_dir(nowhere.path()).output().unwrap();
    assert!(!out.status.success() && said(&out).contains("rollcall init"), "{}", said(&out));
    let out = rollcall().args(["init", "--la-code", "7"]).arg(nowhere.path().join("x")).output().unwrap();
    assert!(!out.status.success() && said(&out).contains("three digits"), "{}", said(&out));
    std::fs::write(authority.lake().join("rollcall.toml"), "la_code = 850\nmemroy_mib = 5\n").unwrap();
    assert!(said(&authority.run(&["check"])).contains("nearest known key is `memory_mib`"));
}

#[test]
fn a_question_cannot_write_or_read_files() {
    let authority = started();
    for sql in [
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "INSERT INTO believed.school SELECT * FROM believed.school",
        "SET datafusion.execution.target_partitions = 1",
        "CREATE VIEW x AS SELECT 1",
    ] {
        assert!(!authority.run(&["query", sql]).status.success(), "{sql}");
    }
}

#[test]
fn no_child_stands_in_logs_messages_or_file_names() {
    let authority = started();
    let bad = format!("URN,UPN,Date,Session,Mark\n140001,{A},2026-09-07,AM,QQ\n140001,{A}X,2026-09-07,AM,/\n");
    // A roll of a changed UPN, and a row whose date of birth is none.
    let changed = roll(140001, &[B]).replace(&format!("{B},"), &format!("{B},{A}"));
    let unreadable = format!("140001,{C},,Made,Up,20166-01-01,F,5,2026-09-01,,\n");
    let folder = authority.offer("2026-09-11T18:00:00Z", &[("m.csv", &bad), ("r.csv", &(changed + &unreadable))]);
    let out = rollcall()
        .args(["ingest", folder.to_str().unwrap(), "--received-at", "2026-09-11T18:00:00Z"])
        .env("ROLLCALL_LOG", "trace")
        .current_dir(authority.lake())
        .output()
        .unwrap();
    let told = said(&out);
    assert!(told.contains("r.csv"), "{told}");
    for secret in [A, B, C, "Made"] {
        assert!(!told.contains(secret), "a child in the output");
    }
    let asked = format!("SELECT count(*) FROM metrics.pupil_year WHERE upn = '{A}'");
    let out =
        rollcall().args(["query", &asked]).env("ROLLCALL_LOG", "trace").current_dir(authority.lake()).output().unwrap();
    assert!(out.status.success() && !said(&out).contains(A), "a child in what is logged of a question");
    for (path, bytes) in all_files(&authority.lake()) {
        assert!(!path.to_string_lossy().contains(A), "{}", path.display());
        let receipt = path.extension().is_some_and(|e| e == "json");
        assert!(!receipt || !String::from_utf8_lossy(&bytes).contains(A), "{}", path.display());
    }
}

#[test]
fn what_is_published_does_not_grow_for_ever() {
    let authority = started();
    let pipelines = authority.lake().join("pipelines");
    std::fs::create_dir_all(&pipelines).unwrap();
    let steps = "about = \"x\"\n[[step]]\npublish = \"metrics\"\n[[step]]\nvacuum_after_days = 0\n";
    std::fs::write(pipelines.join("p.toml"), steps).unwrap();
    let published = || {
        let files = all_files(&authority.lake().join("lake/published/metrics.pupil_year"));
        files.into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "parquet")).count()
    };
    for day in 9..12 {
        let marks = week(140001, "2026-09-07", &[(A, "/\\/\\/\\/\\/\\"), (B, "/\\/\\/\\/\\/\\")]);
        let until: String = marks
            .lines()
            .filter(|line| !line.contains(&format!("2026-09-{:02}", day + 1)))
            .map(|l| format!("{l}\n"))
            .collect();
        authority.receive(&format!("2026-09-{day:02}T18:00:00Z"), &[("m.csv", &until)]);
        authority.ok(&["run", "p", "--as-of", &format!("2026-09-{day:02}")]);
        // The one of this night; what it replaced a moment ago may still be read.
        assert!((1..=2).contains(&published()), "{}", published());
    }
    assert_eq!(authority.ok(&["run", "p", "--as-of", "2026-09-11"]).matches("vacuum").count(), 1);
    assert_eq!(published(), 1);
}
