//! The one test binary: the house rules, the examples beside the SQL, and the command from end to end.

mod alerts;
mod authority;
mod azure;
mod changed_upns;
mod command;
mod examples;
mod figures;
mod golden;
mod hostile;
mod ledger;
mod mending;
mod own_sql;
mod page;
mod problems;
mod property;
mod readers;
mod returns;
mod roll_order;
mod rolls;
mod store;
mod tidy;
