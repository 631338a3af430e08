/*
about = "The open sessions of each school as one register."
grain = ["urn"]
source = "contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
calendar = { doc = "Open sessions, a mark / for each", visibility = "public" }
*/
SELECT urn, register(line_of(open, '/'), week_start) AS calendar FROM tables.open_week GROUP BY urn
