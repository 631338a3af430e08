//! Questions from outside: one SELECT over the views of a session.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::FieldRef;
use datafusion::catalog::MemTable;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::DataFrame;

use crate::definition::{reads_of, substitute};
use crate::error::EngineError;
use crate::library::Library;
use crate::session::{SendableRecordBatchStream, Session};

impl Session {
    /// A question from outside: one SELECT, over views only.
    pub async fn ask(&self, sql: &str) -> Result<DataFrame, EngineError> {
        let sql = substitute(sql, |name| self.parameter(name, None)).map_err(EngineError::Question)?;
        let reads = reads_of(&sql).map_err(EngineError::Question)?;
        if reads.iter().any(|r| r.starts_with("information_schema")) {
            // Rules read what has just come in, and nothing has.
            let names = self.library().in_order().filter(|d| d.folder() != "rules");
            self.plan(names.map(|d| d.name.clone())).await?;
        }
        self.ready(&reads).await?;
        let safe = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let question = self.context.sql_with_options(&sql, safe).await.map_err(|e| self.explained(e, &reads))?;
        let (state, plan) = question.into_parts();
        let plan = self.with_groups_worked_out(plan).await?;
        Ok(DataFrame::new(state, plan))
    }

    /// A plan in which groups whose lists are unnested are rows in memory. DataFusion takes each row that an unnested
    /// list gives for one of its group still, and drops columns from a later GROUP BY that the group's own "determine".
    async fn with_groups_worked_out(&self, mut plan: LogicalPlan) -> Result<LogicalPlan, EngineError> {
        let is_grouped = |node: &LogicalPlan| match node {
            LogicalPlan::Unnest(unnest) => !unnest.input.schema().functional_dependencies().is_empty(),
            _ => false,
        };
        loop {
            let mut grouped = None;
            plan.apply_with_subqueries(|node| {
                // The innermost comes last.
                if let LogicalPlan::Unnest(unnest) = node
                    && is_grouped(node)
                {
                    grouped = Some(Arc::clone(&unnest.input));
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
            let Some(input) = grouped else { return Ok(plan) };
            let rows = DataFrame::new(self.context.state(), input.as_ref().clone()).collect().await?;
            let table = MemTable::try_new(Arc::clone(input.schema().inner()), vec![rows])?;
            let scan = LogicalPlanBuilder::scan("grouped", provider_as_source(Arc::new(table)), None)?.build()?;
            let columns = scan.schema().columns().into_iter().zip(input.schema().iter());
            let named = |(column, (of, field)): (_, (Option<&TableReference>, &FieldRef))| {
                Expr::Column(column).alias_qualified(of.cloned(), field.name())
            };
            let columns: Vec<Expr> = columns.map(named).collect();
            let worked_out = LogicalPlanBuilder::from(scan).project(columns)?.build()?;
            plan = plan
                .transform_down_with_subqueries(|node| {
                    let is_it = matches!(&node, LogicalPlan::Unnest(unnest) if unnest.input == input);
                    if !is_it || !is_grouped(&node) {
                        return Ok(Transformed::no(node));
                    }
                    let expressions = node.expressions();
                    Ok(Transformed::yes(node.with_new_exprs(expressions, vec![worked_out.clone()])?))
                })?
                .data;
        }
    }

    /// All rows of a question.
    pub async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>, EngineError> {
        Ok(self.ask(sql).await?.collect().await?)
    }

    /// All rows of a question as JSON objects; a value that is not known is left out.
    pub async fn objects(&self, sql: &str) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, EngineError> {
        let batches = self.rows(sql).await?;
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
        writer.finish()?;
        let text = writer.into_inner();
        let objects = serde_json::Deserializer::from_slice(&text).into_iter();
        objects.collect::<Result<_, _>>().map_err(|e| EngineError::Question(e.to_string()))
    }

    /// The rows of a question as they are made.
    pub async fn stream(&self, sql: &str) -> Result<SendableRecordBatchStream, EngineError> {
        Ok(self.ask(sql).await?.execute_stream().await?)
    }

    /// An error of planning with the nearest name that does exist.
    fn explained(&self, error: DataFusionError, reads: &[String]) -> EngineError {
        let known = |name: &str| {
            let (schema, short) = name.split_once('.').unwrap_or(("public", name));
            self.context.catalog("datafusion").and_then(|c| c.schema(schema)).is_some_and(|s| s.table_exist(short))
        };
        let missing = reads.iter().find(|r| !r.starts_with("information_schema") && !known(r));
        match missing {
            Some(missing) => EngineError::Question(no_such(self.library(), missing)),
            None => EngineError::Question(error.strip_backtrace()),
        }
    }
}

/// That there is no view or reference table of a name, and which is nearest: the folder is mistaken more easily.
pub fn no_such(library: &Library, name: &str) -> String {
    let views = library.in_order().map(|d| d.name.clone());
    let names = views.chain(library.tables.keys().map(|table| format!("reference.{table}")));
    let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let nearest =
        names.min_by_key(|known| (model::distance(&short(known), &short(name)), model::distance(known, name)));
    // One of which more than half would have to be changed is not what was meant.
    match nearest.filter(|known| model::distance(&short(known), &short(name)) * 2 <= short(name).len()) {
        Some(nearest) => format!("there is no {name}; the nearest is {nearest}"),
        None => format!("there is no {name}; SELECT name, about FROM catalogue.definition lists what there is"),
    }
}
