//! Joins of a country's registers: what is small beside them is looked up, whatever else is sorted.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// Bytes a hash join holds for a row beside its values.
const BYTES_A_ROW: usize = 24;
/// Bytes a value is taken for that has no width of its own: a name, or a list of counts.
const BYTES_A_TEXT: usize = 32;
const BYTES_A_LIST: usize = 4096;

/// Makes a join that sorts both sides one that holds its first, where that is known to be small: a table of a row a
/// school, or a result with hardly a row. DataFusion sorts for all joins or for none.
#[derive(Debug)]
pub(crate) struct SmallSides {
    /// The most a first side may hold, in bytes.
    pub most: usize,
}

impl SmallSides {
    fn is_small(&self, plan: &Arc<dyn ExecutionPlan>) -> bool {
        let schema = plan.schema();
        let width: usize = schema.fields().iter().map(|f| width(f.data_type())).sum();
        rows_at_most(plan).is_some_and(|rows| rows.saturating_mul(width + BYTES_A_ROW) <= self.most)
    }
}

impl PhysicalOptimizerRule for SmallSides {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<SortMergeJoinExec>() else { return Ok(Transformed::no(node)) };
            // What these say of their first side is not known before all parts of the second are through.
            let holds = matches!(
                join.join_type(),
                JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti
            );
            if !holds || !self.is_small(join.left()) {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Arc::new(HashJoinExec::try_new(
                Arc::clone(join.left()),
                Arc::clone(join.right()),
                join.on().to_vec(),
                join.filter().clone(),
                &join.join_type(),
                None,
                PartitionMode::CollectLeft,
                join.null_equality(),
                false,
            )?)))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "SmallSides"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How many rows a plan has and no more, where what it reads has been counted.
fn rows_at_most(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if let [input] = plan.children()[..] {
        let no_more = matches!(plan.cardinality_effect(), CardinalityEffect::Equal | CardinalityEffect::LowerEqual);
        return if no_more { rows_at_most(input) } else { None };
    }
    match StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?.num_rows {
        Precision::Exact(rows) if plan.children().is_empty() => Some(rows),
        _ => None,
    }
}

fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Boolean => 1,
        DataType::Utf8 | DataType::Utf8View => BYTES_A_TEXT,
        other => other.primitive_width().unwrap_or(BYTES_A_LIST),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// A context whose joins sort, with one table of three rows and one of as many as asked for.
    async fn context(most: usize) -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(2)
            .set_bool("datafusion.optimizer.join_reordering", false)
            .set_bool("datafusion.optimizer.prefer_hash_join", false);
        let mut rules = PhysicalOptimizer::new().rules;
        rules.insert(0, Arc::new(SmallSides { most }));
        let state = SessionStateBuilder::new().with_config(config).with_default_features();
        let context = SessionContext::new_with_state(state.with_physical_optimizer_rules(rules).build());
        for table in [
            "few AS SELECT * FROM (VALUES (1, 10), (2, 20), (2, 30)) v(a, b)",
            "many AS SELECT value % 4 AS a, value AS c FROM generate_series(0, 99)",
        ] {
            context.sql(&format!("CREATE TABLE {table}")).await.unwrap().collect().await.unwrap();
        }
        context
    }

    /// The plan of a statement, and its rows.
    async fn planned(context: &SessionContext, sql: &str) -> (String, String) {
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().create_physical_plan().await.unwrap();
        let rows = arrow::util::pretty::pretty_format_batches(&frame.collect().await.unwrap()).unwrap();
        (displayable(plan.as_ref()).indent(false).to_string(), rows.to_string())
    }

    #[tokio::test]
    async fn a_first_side_that_is_known_to_be_small_is_held_and_the_answer_is_the_same() {
        let joins = [("", true), ("RIGHT", true), ("RIGHT SEMI", true), ("RIGHT ANTI", true), ("FULL", false)];
        let few = [
            ("few", true),
            ("(SELECT a, max(b) AS b FROM few WHERE 10 < b GROUP BY a)", true),
            ("(SELECT f.a, g.b FROM few f JOIN few g ON f.a = g.a)", false),
        ];
        let (holds, sorts) = (context(10_000).await, context(0).await);
        for (join, may_hold) in joins {
            for (few, is_counted) in few {
                let columns = if join.contains(' ') { "m.c" } else { "m.c, f.b" };
                let sql = format!("SELECT {columns} FROM {few} f {join} JOIN many m ON f.a = m.a ORDER BY {columns}");
                let ((plan, rows), (sorted, same)) = (planned(&holds, &sql).await, planned(&sorts, &sql).await);
                assert_eq!(rows, same, "{sql}");
                let outer = plan.lines().find(|line| line.contains("JoinExec")).unwrap_or_default();
                assert_eq!(outer.contains("HashJoinExec: mode=CollectLeft"), may_hold && is_counted, "{plan}");
                assert!(!sorted.contains("HashJoinExec"), "{sorted}");
            }
        }
    }
}
