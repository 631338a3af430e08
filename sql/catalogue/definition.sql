/*
about = "Every name, what it means, and the hash of what defines it."
grain = ["name"]
source = "contract.md 4"

[columns]
name = { doc = "Name", visibility = "public" }
kind = { doc = "Folder of sql/", visibility = "public" }
version = { doc = "Grows with every change of meaning", visibility = "public" }
sha256 = { doc = "SHA-256 of the file", visibility = "public" }
about = { doc = "What it is", visibility = "public" }
source = { doc = "Regulation or methodology", visibility = "public" }
grain = { doc = "Columns that tell its rows apart", visibility = "public" }
*/
SELECT name, kind, version, sha256, about, source, grain FROM definitions.definition
