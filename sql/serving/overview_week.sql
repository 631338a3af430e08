/*
about = "Absence by week in the authority, primary, secondary and special together, beside England's published figure of the same week, of the newest year that has one."
grain = ["week_start"]
source = "metrics.area_week; DfE Pupil attendance in schools"

[columns]
week_start = { doc = "The week", visibility = "public" }
absence_percent = { doc = "Area", visibility = "area" }
england_percent = { doc = "England", visibility = "public" }
england_year = { doc = "Calendar year of the figure for England", visibility = "public" }
is_settled = { doc = "All returned and no N within the days allowed", visibility = "public" }
schools_received = { doc = "Schools", visibility = "public" }
schools_expected = { doc = "Of so many", visibility = "public" }
*/
SELECT w.week_start, w.absence_percent, e.absence_percent AS england_percent, e.year AS england_year, w.is_settled,
       w.schools_received, w.schools_expected
FROM metrics.area_week w
LEFT JOIN (
  SELECT e.* FROM reference.england_week e
  JOIN (SELECT week, phase, max(year) AS year FROM reference.england_week GROUP BY week, phase) n ON n.week = e.week AND n.phase = e.phase AND n.year = e.year
) e ON e.week = date_part('week', w.week_start) AND e.phase = w.phase
WHERE w.phase = 'Total' AND w.la_code = $la_code AND w.academic_year = (SELECT CAST(academic_year AS VARCHAR) FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day)
