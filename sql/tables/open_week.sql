/*
about = "Which sessions each school was open: any pupil there has a mark other than # and Z, or the calendar says so."
grain = ["urn", "week_start"]
source = "contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
week_start = { doc = "The week, by its Monday", visibility = "public" }
open = { doc = "The open sessions, as a mask", visibility = "public" }
*/
WITH marked AS (
  SELECT urn, week_start, bit_or(boxes(marks, 'opening')) AS mask
  FROM tables.believed_line GROUP BY urn, week_start
), stated AS (
  SELECT urn, CAST(date_trunc('week', date) AS DATE) AS week_start,
         bit_or(boxes_between(CAST(date_trunc('week', date) AS DATE), date, date)
                & CASE WHEN session = 'AM' THEN $mornings ELSE $afternoons END) AS mask
  FROM believed.calendar
  WHERE open AND known_from <= $known_at AND (known_to IS NULL OR $known_at < known_to) AND date <= $as_of
  GROUP BY 1, 2
)
SELECT urn, week_start, CAST(bit_or(mask) AS INT) AS open
FROM (SELECT urn, week_start, mask FROM marked UNION ALL SELECT urn, week_start, mask FROM stated)
GROUP BY urn, week_start
HAVING 0 < bit_or(mask)
