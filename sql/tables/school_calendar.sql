/*
about = "Which sessions each school was open, as it says itself or, where it has stated no calendar of the school year, as the authority's term dates have it. These yield to a # of any pupil and to a session that the school states closed."
grain = ["urn"]
source = "contract.md 2: Calendar; contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
calendar = { doc = "The open sessions as one register, a / for each", visibility = "public" }
*/
WITH stated AS (
  SELECT c.urn, c.date, c.session, c.open, y.academic_year
  FROM reference.academic_year y JOIN believed.calendar c ON y.first_day <= c.date AND c.date <= y.last_day
  WHERE c.known_from <= $known_at AND (c.known_to IS NULL OR $known_at < c.known_to)
), term AS (
  SELECT date, session, academic_year FROM stated WHERE urn = $la_code AND open AND date <= $as_of
), with_calendar AS (
  SELECT DISTINCT urn, academic_year FROM stated WHERE open
), week AS (
  SELECT e.urn, CAST(date_trunc('week', t.date) AS DATE) AS week_start, bit_or(session_box(t.date, t.session)) AS mask
  FROM with_calendar w
  RIGHT JOIN (
    stated s RIGHT JOIN (term t JOIN tables.expected_school e ON coalesce(e.open_date, t.date) <= t.date AND t.date <= coalesce(e.close_date, t.date))
      ON s.urn = e.urn AND s.date = t.date AND s.session = t.session
  ) ON w.urn = e.urn AND w.academic_year = t.academic_year
  WHERE w.urn IS NULL AND coalesce(s.open, true)
  GROUP BY 1, 2
), closed AS (
  SELECT urn, w['week_start'] AS week_start, w['boxes'] AS mask
  FROM (SELECT urn, unnest(marked_weeks(register_union(only(register, 'codes:#')))) AS w
        FROM tables.register WHERE EXISTS (SELECT date FROM term) GROUP BY urn)
), inferred AS (
  SELECT w.urn, register(line_of(w.mask - (w.mask & coalesce(c.mask, 0)), '/'), w.week_start) AS calendar
  FROM closed c RIGHT JOIN week w ON c.urn = w.urn AND c.week_start = w.week_start
  GROUP BY w.urn
)
SELECT coalesce(o.urn, i.urn) AS urn, register_with(o.calendar, i.calendar) AS calendar
FROM inferred i FULL JOIN tables.own_calendar o ON o.urn = i.urn
