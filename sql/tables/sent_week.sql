/*
about = "Weeks of which each school has sent a mark, of a child on its roll or of one whom no roll of it has yet."
grain = ["urn", "week_start", "academic_year"]
source = "contract.md 4: schools_received"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
academic_year = { doc = "School year, as the DfE writes it (202627): two may share a week", visibility = "public" }
is_on_roll = { doc = "Whether a mark is of a child on roll", visibility = "public" }
*/
WITH on_roll AS (
  -- Of any age: a school may have none of the cohort yet.
  SELECT DISTINCT urn, week_start, academic_year FROM tables.school_week_count WHERE sent <> 0
), opened AS (
  SELECT urn, calendar, unnest(marked_weeks(calendar))['week_start'] AS week_start FROM tables.opened
), of_anybody AS (
  SELECT o.urn, o.week_start, CAST(y.academic_year AS VARCHAR) AS academic_year
  FROM reference.academic_year y JOIN opened o ON y.first_day <= add_days(o.week_start, $last_weekday) AND o.week_start <= y.last_day
  WHERE 0 < days_with(o.calendar, 'recorded', greatest(o.week_start, y.first_day), least(add_days(o.week_start, $last_weekday), y.last_day))
)
SELECT coalesce(r.urn, a.urn) AS urn, coalesce(r.week_start, a.week_start) AS week_start, coalesce(r.academic_year, a.academic_year) AS academic_year,
       r.urn IS NOT NULL AS is_on_roll
FROM on_roll r FULL JOIN of_anybody a ON r.urn = a.urn AND r.week_start = a.week_start AND r.academic_year = a.academic_year
