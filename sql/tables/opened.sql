/*
about = "Sessions of each school in which any pupil has a mark other than # and Z, whoever was on roll."
grain = ["urn"]
source = "contract.md 4: Open session"

[columns]
urn = { doc = "The school", visibility = "area" }
calendar = { doc = "The sessions as one register, a / for each; null where there is none", visibility = "public" }
*/
SELECT urn, opened(register) AS calendar FROM tables.register GROUP BY urn
