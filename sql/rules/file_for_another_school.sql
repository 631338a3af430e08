/*
about = "A file whose rows are of another school than its source, or than the school of the authority that it is named after. Six digits in a name may be a date too: of no other authority's school."
source = "contract.md 4"
outcome = "refuse_file"
expected = "rows of the school that the file is named after, and that its source sends for"
*/
SELECT f.file_id, f.urn, f.rows,
       'rows of ' || CAST(f.urn AS VARCHAR)
       || CASE WHEN f.urn <> f.source_urn THEN ' from a source of ' || CAST(f.source_urn AS VARCHAR)
               ELSE ' in a file named after ' || CAST(f.named_urn AS VARCHAR) END AS found
FROM incoming.file f
LEFT JOIN tables.school s ON s.urn = f.named_urn AND s.la_code = $la_code
WHERE NOT f.of_many AND f.kind IN ('marks', 'roll', 'calendar')
  AND (f.urn <> f.source_urn OR f.urn <> f.named_urn AND s.urn IS NOT NULL)
