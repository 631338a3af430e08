/*
about = "The authority this school year by phase."
grain = ["phase"]
source = "metrics.area_year"

[columns]
phase = { doc = "Phase, or Total", visibility = "public" }
schools_received = { doc = "Schools of which a mark is held", visibility = "public" }
schools_expected = { doc = "Of so many", visibility = "public" }
enrolments = { doc = "Enrolments", visibility = "area" }
absence_percent = { doc = "Absence", visibility = "area" }
authorised_percent = { doc = "Authorised", visibility = "area" }
unauthorised_percent = { doc = "Unauthorised", visibility = "area" }
persistent_percent = { doc = "Persistent", visibility = "area" }
severe_percent = { doc = "Severe", visibility = "area" }
*/
SELECT phase, schools_received, schools_expected, enrolments, absence_percent,
       100.0 * authorised / nullif(possible, 0) AS authorised_percent, 100.0 * unauthorised / nullif(possible, 0) AS unauthorised_percent,
       persistent_percent, severe_percent
FROM metrics.area_year WHERE la_code = $la_code AND academic_year = (SELECT CAST(academic_year AS VARCHAR) FROM reference.academic_year WHERE first_day <= $as_of AND $as_of <= last_day)
