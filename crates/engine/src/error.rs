//! Why a question was not answered.

use datafusion::error::DataFusionError;
use lake::LakeError;
use tokio::task::JoinError;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The question itself: unknown name, wrong type, not a SELECT.
    #[error("{0}")]
    Question(String),
    /// A definition of ours does not plan: `check` would have said so.
    #[error("{name} cannot be planned")]
    Definition {
        /// Which.
        name: String,
        /// DataFusion's words.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A definition plans and cannot be worked out.
    #[error("{name} cannot be worked out")]
    Failed {
        /// Which.
        name: String,
        /// DataFusion's words.
        #[source]
        source: Box<DataFusionError>,
    },
    /// While answering.
    #[error(transparent)]
    Running(#[from] DataFusionError),
    /// The lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Arrow, on rows of our own.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl EngineError {
    /// Whether a definition in SQL is at fault: not the store, nor the memory that the work was given.
    pub fn is_of_definition(&self) -> bool {
        match self {
            Self::Question(_) | Self::Definition { .. } => true,
            Self::Failed { source, .. } => !matches!(source.find_root(), DataFusionError::ResourcesExhausted(_)),
            Self::Running(_) | Self::Lake(_) | Self::Arrow(_) => false,
        }
    }

    /// What went wrong while a definition was worked out, with its name.
    pub(crate) fn of(self, name: &str) -> Self {
        match self {
            Self::Running(source) => Self::Failed { name: name.to_owned(), source: Box::new(source) },
            other => other,
        }
    }
}

/// A part of the work that ended without an answer.
pub(crate) fn stopped(why: JoinError) -> EngineError {
    EngineError::Running(DataFusionError::External(Box::new(why)))
}
