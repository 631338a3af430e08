//! Whether the lake is whole, and what is late.

use anyhow::{Result, bail};
use chrono::NaiveDate;
use lake::RunRecord;

use crate::ingest::Progress as _;
use crate::{House, ask, progress, today};

impl House {
    /// Reads every receipt and every file of the ledger, and says who is silent and what is open.
    pub(crate) async fn doctor(&self, json: bool) -> Result<()> {
        let bar = progress::Bar::new(json);
        bar.step("receipts", 0, 1);
        let arrivals = lake::landing::verify(&self.lake, true).await?;
        bar.finish();
        let run = RunRecord::newest(&self.lake).await?;
        run.check_receipts(arrivals)?;
        let files = run.verify(&self.lake).await?;
        let session = self.session(None, None).await?;
        let silent: Vec<u64> = session
            .objects("SELECT urn FROM serving.overview_school WHERE is_silent ORDER BY urn")
            .await?
            .iter()
            .filter_map(|school| school.get("urn")?.as_u64())
            .collect();
        let newest = session
            .objects("SELECT CAST(max(last_day) AS VARCHAR) AS day FROM tables.return_school WHERE kind = 'marks'")
            .await?
            .iter()
            .find_map(|row| row.get("day")?.as_str()?.parse::<NaiveDate>().ok());
        let open = ask::number(&session, "SELECT count(*) FROM quality.problem WHERE fixed_by IS NULL").await?;
        let schools = ask::number(&session, "SELECT count(*) FROM tables.school").await?;
        let expected = ask::number(&session, "SELECT count(*) FROM tables.expected_school").await?;
        if json {
            println!(
                "{}",
                serde_json::json!({ "lake": self.lake.url().as_str(), "version": run.n, "arrivals": arrivals,
                    "arrivals_not_taken": arrivals.saturating_sub(run.arrivals), "known_at": run.known_at,
                    "table_files": files, "newest_marks": newest, "expected_schools": expected, "silent_schools": silent,
                    "open_problems": open })
            );
        } else {
            println!("lake            {}", self.lake.url());
            println!("ledger version  {} (known up to {})", run.n, run.known_at.format("%Y-%m-%d %H:%M:%SZ"));
            println!("receipts        {arrivals}, each whole and in its place in the chain");
            println!("table files     {files}, each with the content it was written with");
            println!("not yet taken   {}", arrivals.saturating_sub(run.arrivals));
            match newest {
                // Where all schools are silent none stands out: how old the newest marks are says it.
                Some(day) => println!("newest marks    of {day}, {} days before today", (today() - day).num_days()),
                None => println!("newest marks    none yet"),
            }
            let named = |urns: &[u64]| urns.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            match silent.len() {
                _ if schools == 0 => println!("silent schools  unknown: no schools file of GIAS has been taken in"),
                _ if expected == 0 => println!(
                    "silent schools  unknown: none of the {schools} schools is of authority {}; la_code in the configuration",
                    self.config.la_code
                ),
                0 if newest.is_some() => {
                    println!("silent schools  none: every expected school has sent marks of the week of the newest")
                }
                0 => println!("silent schools  all: no marks have been taken in"),
                n => println!("silent schools  {n} have sent no marks of the newest week: {}", named(&silent)),
            }
            println!("open problems   {open} (SELECT * FROM quality.problem WHERE fixed_by IS NULL)");
        }
        if run.arrivals < arrivals {
            bail!("{} arrivals are landed and not taken; `rollcall ingest` takes them first", arrivals - run.arrivals);
        }
        Ok(())
    }
}
