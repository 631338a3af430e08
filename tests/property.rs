//! Properties, tried on seeds.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Runs a property on so many cases. A seed that failed is printed by proptest and can be fed back to it.
pub fn hold<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 24, ..Config::default() };
    TestRunner::new(config).run(strategy, property).unwrap();
}

/// How many cases a property is tried on: a few here, thousands by hand with PROPERTY_CASES.
pub fn cases(few: u32) -> u32 {
    std::env::var("PROPERTY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}
