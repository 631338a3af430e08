/*
about = "School years of which marks are held, up to that of the day asked for. One is over once its last day is past, or a roll of a later day is held."
grain = ["academic_year"]
source = "domain.md 2.1"

[columns]
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
first_day = { doc = "Its first day", visibility = "public" }
last_day = { doc = "Its last day", visibility = "public" }
starts_in = { doc = "The calendar year it starts in", visibility = "public" }
is_over = { doc = "Whether it is over", visibility = "public" }
*/
WITH newest AS (
  SELECT greatest(CAST($known_at AS DATE), max(snapshot_date)) AS roll_day FROM believed.enrolment
)
-- Years before the first mark held say nothing of attendance.
SELECT CAST(academic_year AS VARCHAR) AS academic_year, first_day, last_day, starts_in, last_day < (SELECT roll_day FROM newest) AS is_over
FROM reference.academic_year
WHERE first_day <= $as_of AND (SELECT least(coalesce(min(CASE WHEN told <> 0 THEN first_box_day(week_start, told) END), $as_of), $as_of) FROM tables.open_week) <= last_day
