/*
about = "What was told last of each child in a school year that is over: by a roll of a day in it or, where there was none, by the first after it."
grain = ["urn", "pupil_key", "academic_year"]
source = "domain.md 2.1"

[params]
# More than the number of any day: places go by arrival, and then by day of entry.
places = 1000000

[columns]
urn = { doc = "The school", visibility = "area" }
pupil_key = { doc = "The child, through every change of UPN", visibility = "pupil" }
academic_year = { doc = "School year, as the DfE writes it (202627)", visibility = "public" }
nc_year = { doc = "National curriculum year, as the school states it", visibility = "pupil" }
fsm = { doc = "Free school meals", visibility = "pupil" }
sen = { doc = "N, K or E", visibility = "pupil" }
looked_after = { doc = "Looked after", visibility = "pupil" }
child_in_need = { doc = "Child in need", visibility = "pupil" }
eal = { doc = "English as an additional language", visibility = "pupil" }
ethnicity = { doc = "Ethnicity code", visibility = "pupil" }
*/
WITH arrival AS (
  SELECT known_from, CAST(row_number() OVER (ORDER BY known_from) AS BIGINT) AS nth
  FROM (SELECT DISTINCT known_from FROM history.enrolment WHERE known_from <= $known_at)
), version AS (
  -- What was told last of a day in the year has the highest place; where nothing was, what was told first after it.
  -- Whatever the day of entry is taken to be now.
  SELECT h.urn, coalesce(k.first_key, h.pupil_key) AS pupil_key, h.academic_year, h.place, h.nc_year, h.fsm, h.sen, h.looked_after, h.child_in_need, h.eal, h.ethnicity
  -- The smaller side stands first, here and below: it is the one a hash join holds.
  FROM believed.joined_key k
  RIGHT JOIN (
    SELECT h.*, $places * CASE WHEN coalesce(h.snapshot_date, CAST(h.known_from AS DATE)) <= h.year_ends THEN a.nth ELSE -a.nth END + arrow_cast(h.entry_date, 'Int32') AS place
    FROM arrival a
    JOIN (
      SELECT h.*, y.academic_year, y.last_day AS year_ends
      FROM (SELECT * FROM tables.held_year WHERE is_over) y JOIN history.enrolment h ON h.entry_date <= y.last_day
    ) h ON a.known_from = h.known_from
  ) h ON k.line_key = h.pupil_key
)
-- Once of a child who was told of under two UPNs at one instant, and has turned out to be one since.
SELECT v.urn, v.pupil_key, v.academic_year, max(v.nc_year) AS nc_year, bool_or(v.fsm) AS fsm, max(v.sen) AS sen, bool_or(v.looked_after) AS looked_after,
       bool_or(v.child_in_need) AS child_in_need, bool_or(v.eal) AS eal, max(v.ethnicity) AS ethnicity
FROM (SELECT urn, pupil_key, academic_year, max(place) AS place FROM version GROUP BY urn, pupil_key, academic_year) l
JOIN version v ON v.urn = l.urn AND v.pupil_key = l.pupil_key AND v.academic_year = l.academic_year AND v.place = l.place
GROUP BY v.urn, v.pupil_key, v.academic_year
