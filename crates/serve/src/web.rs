//! The pages over HTTP: read only, no scripts, and nothing of what lies inside shown when something fails.

mod csv;
mod fault;

pub use fault::PageError;

use std::future::Future;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::assets;
use crate::page::{self, Ask, Overview};

/// Where the figures come from.
pub trait Source: Clone + Send + Sync + 'static {
    /// The overview for the moment asked for. Which schools are shown, and in what order, is seen to here:
    /// it may leave `sort`, `direction` and `phase` alone and give every school.
    fn overview(&self, ask: Ask) -> impl Future<Output = Result<Overview, PageError>> + Send;
}

/// All pages, with figures from this source.
pub fn router<S: Source>(source: S) -> Router {
    let mut router = Router::new()
        .route("/", get(overview::<S>))
        .route("/weeks.csv", get(weeks_csv::<S>))
        .route("/schools.csv", get(schools_csv::<S>))
        .route("/api/overview.json", get(overview_json::<S>))
        .route("/healthz", get(async || "ok\n"))
        .route("/assets/{name}", get(asset))
        .fallback(async || PageError::NotFound)
        .method_not_allowed_fallback(async || PageError::ReadOnly)
        .with_state(source);
    for (name, value) in HEADERS {
        router = router.layer(SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        ));
    }
    router
}

/// What every answer carries, unless it says otherwise itself.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-store"),
];

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

fn read(pairs: Pairs) -> Result<Ask, PageError> {
    let Query(pairs) = pairs.map_err(|_| PageError::Asked {
        parameter: "query".to_owned(),
        found: "what follows the ? in the address".to_owned(),
        expected: "names and values that can be read".to_owned(),
    })?;
    Ask::read(&pairs).map_err(PageError::from)
}

async fn overview<S: Source>(State(source): State<S>, pairs: Pairs) -> Result<Response, PageError> {
    let ask = read(pairs)?;
    let overview = source.overview(ask.clone()).await?;
    let html = page::overview_page(&overview, &ask).map_err(PageError::failed)?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

async fn overview_json<S: Source>(State(source): State<S>, pairs: Pairs) -> Response {
    match json::<S>(&source, pairs).await {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => error.into_json(),
    }
}

async fn json<S: Source>(source: &S, pairs: Pairs) -> Result<String, PageError> {
    let ask = read(pairs)?;
    let mut overview = source.overview(ask.clone()).await?;
    overview.schools = page::schools::arrange(&overview.schools, &ask).into_iter().cloned().collect();
    serde_json::to_string(&overview).map_err(PageError::failed)
}

async fn weeks_csv<S: Source>(State(source): State<S>, pairs: Pairs) -> Result<Response, PageError> {
    let overview = source.overview(read(pairs)?).await?;
    Ok(download("weeks", &overview, csv::weeks(&overview)))
}

async fn schools_csv<S: Source>(State(source): State<S>, pairs: Pairs) -> Result<Response, PageError> {
    let ask = read(pairs)?;
    let overview = source.overview(ask.clone()).await?;
    Ok(download("schools", &overview, csv::schools(&overview, &ask)))
}

fn download(what: &str, overview: &Overview, csv: String) -> Response {
    let day: String = overview.stamp.as_of.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let name = format!("attachment; filename=\"rollcall-{what}-{day}.csv\"");
    ([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)], csv).into_response()
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, PageError> {
    let asset = assets::find(&name).ok_or(PageError::NotFound)?;
    let tag = asset.etag();
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let kept = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    Ok((kept, [(CONTENT_TYPE, asset.media_type)], asset.bytes).into_response())
}

#[cfg(test)]
mod tests;

/// Serves a router until told to stop.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // On a machine's own address: a page from elsewhere whose name has come to mean this machine is not answered.
    let router = match listener.local_addr()?.ip().is_loopback() {
        true => router.layer(axum::middleware::from_fn(of_this_machine)),
        false => router,
    };
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Answers whoever asks by a name of this machine's own.
async fn of_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    match name {
        "localhost" | "127.0.0.1" | "[::1]" => next.run(request).await,
        _ => StatusCode::MISDIRECTED_REQUEST.into_response(),
    }
}
