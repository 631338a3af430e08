//! What a reader is told when a page cannot be shown, and what only the log is told.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::page::ask::WrongAsk;
use crate::page::{self, PageFault};

/// Why a page cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// A value in the address cannot be used.
    Asked {
        /// Which parameter.
        parameter: String,
        /// What it says.
        found: String,
        /// What it may say.
        expected: String,
    },
    /// There is nothing to show yet; this says what to do about it.
    Nothing(String),
    /// There is no such page.
    NotFound,
    /// Something other than reading was asked for.
    ReadOnly,
    /// Our fault. Readers are given a reference, the log the words.
    Failed(String),
}

/// Counts failures since the start, so that a reader's reference finds its line in the log.
static FAILURES: AtomicU64 = AtomicU64::new(0);

impl PageError {
    /// Our fault, in the words of whatever failed.
    pub fn failed(why: impl Error + 'static) -> Self {
        PageError::Failed(model::id::words_of(&why))
    }

    /// The error for a reader that is a program.
    pub fn into_json(self) -> Response {
        let (status, fault) = self.told();
        let body = serde_json::json!({ "error": { "title": fault.heading, "detail": fault.paragraphs } });
        (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }

    fn told(self) -> (StatusCode, PageFault) {
        let (status, heading, paragraphs) = match self {
            PageError::Asked { parameter, found, expected } => (
                StatusCode::BAD_REQUEST,
                "The address asks for something that cannot be shown",
                vec![
                    format!("“{parameter}” in the address says “{}”.", shortened(&model::id::without_upns(&found))),
                    format!("It may say: {expected}. Correct the address and try again."),
                ],
            ),
            PageError::Nothing(what_to_do) => {
                (StatusCode::SERVICE_UNAVAILABLE, "There is nothing to show yet", vec![what_to_do])
            }
            PageError::NotFound => (
                StatusCode::NOT_FOUND,
                "Page not found",
                vec![
                    "If you typed the address, check it is right. If you pasted it, check you copied all of it."
                        .to_owned(),
                ],
            ),
            PageError::ReadOnly => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This page can only be read",
                vec!["Nothing was changed. Open the address in a browser, or ask for it with GET.".to_owned()],
            ),
            PageError::Failed(why) => {
                let reference = FAILURES.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::error!(reference, why, "a page failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Sorry, there is a problem with this page",
                    vec![
                        "Nothing you did caused it and no data was changed. Try again in a few minutes.".to_owned(),
                        format!("If it goes on, tell whoever runs Rollcall for you, with this reference: {reference}."),
                    ],
                )
            }
        };
        (status, PageFault { heading: heading.to_owned(), paragraphs })
    }
}

fn shortened(found: &str) -> String {
    const MOST: usize = 60;
    if found.chars().count() <= MOST { found.to_owned() } else { found.chars().take(MOST).chain(['…']).collect() }
}

impl From<WrongAsk> for PageError {
    fn from(wrong: WrongAsk) -> Self {
        PageError::Asked { parameter: shortened(&wrong.parameter), found: wrong.found, expected: wrong.expected }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, fault) = self.told();
        match page::error_page(&fault) {
            Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            Err(error) => {
                tracing::error!(%error, "the error page failed");
                (status, fault.heading).into_response()
            }
        }
    }
}
