use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::page::sample;

#[derive(Clone)]
struct Made(Result<Overview, PageError>);

impl Source for Made {
    async fn overview(&self, _: Ask) -> Result<Overview, PageError> {
        self.0.clone()
    }
}

/// Status, headers in lower case, body.
struct Answer(u16, String, String);

async fn served(source: Made) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(source)).await });
    address
}

async fn ask(address: SocketAddr, method: &str, path: &str, header: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{header}\r\n");
    let text = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
    .await
    .unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer(head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn every_address_answers_with_its_guards() {
    let address = served(Made(Ok(sample::overview()))).await;
    for (path, status, media_type) in [
        ("/", 200, "text/html"),
        ("/?sort=absence&phase=primary", 200, "text/html"),
        ("/weeks.csv", 200, "text/csv"),
        ("/schools.csv?phase=special", 200, "text/csv"),
        ("/api/overview.json", 200, "application/json"),
        ("/healthz", 200, "text/plain"),
        ("/assets/govuk-frontend.min.css", 200, "text/css"),
        ("/assets/rollcall.svg", 200, "image/svg+xml"),
        ("/assets/..%2fCargo.toml", 404, "text/html"),
        ("/no-such-page", 404, "text/html"),
        ("/?phase=nursery", 400, "text/html"),
        ("/api/overview.json?as_of=today", 400, "application/json"),
        ("/?as_of=%FF", 400, "text/html"),
    ] {
        let Answer(found, head, body) = ask(address, "GET", path, "").await;
        assert_eq!(found, status, "{path}");
        assert!(head.contains(&format!("content-type: {media_type}")), "{path}: {head}");
        for guard in [
            "content-security-policy: default-src 'self'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(guard), "{path}: {guard}");
        }
        assert!(head.contains("cache-control: no-") && !body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let address = served(Made(Ok(sample::overview()))).await;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let Answer(status, head, body) = ask(address, method, "/", "Content-Length: 0\r\n").await;
        assert!(
            status == 405 && head.contains("allow: get,head") && body.contains("can only be read"),
            "{method}: {head}"
        );
    }
    let Answer(status, _, body) = ask(address, "HEAD", "/", "").await;
    assert_eq!((status, body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_wrong_value_is_named_and_cannot_write_markup() {
    let address = served(Made(Ok(sample::overview()))).await;
    let Answer(_, _, body) = ask(address, "GET", "/?sort=%3Cscript%3Ealert(1)%3C/script%3E", "").await;
    assert!(body.contains("“sort” in the address") && !body.contains("<script"), "{body}");
}

#[tokio::test]
async fn a_failure_shows_nothing_of_the_inside() {
    let address = served(Made(Err(PageError::failed(std::io::Error::other("secret table /lake/x at 10.0.0.1"))))).await;
    for path in ["/", "/weeks.csv", "/schools.csv", "/api/overview.json"] {
        let Answer(status, _, body) = ask(address, "GET", path, "").await;
        assert!(status == 500 && body.contains("reference") && !body.contains("secret"), "{path}: {body}");
    }
    let address = served(Made(Err(PageError::Nothing("Load a first file with rollcall ingest.".into())))).await;
    let Answer(status, _, body) = ask(address, "GET", "/", "").await;
    assert!(status == 503 && body.contains("Load a first file"));
}

#[tokio::test]
async fn a_style_sheet_the_browser_has_is_not_sent_again() {
    let address = served(Made(Ok(sample::overview()))).await;
    let tag = assets::find("rollcall.css").unwrap().etag();
    let Answer(status, _, body) =
        ask(address, "GET", "/assets/rollcall.css", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((status, body.as_str()), (304, ""));
}

#[tokio::test]
async fn the_page_the_csv_and_the_json_agree() {
    let address = served(Made(Ok(sample::overview()))).await;
    let query = "?sort=severe_percent&phase=secondary";
    let Answer(_, _, page) = ask(address, "GET", &format!("/{query}"), "").await;
    let Answer(_, _, csv) = ask(address, "GET", &format!("/schools.csv{query}"), "").await;
    let Answer(_, _, json) = ask(address, "GET", &format!("/api/overview.json{query}"), "").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names: Vec<_> =
        json["schools"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 6);
    let table = &page[page.find("id=\"schools-table\"").unwrap()..];
    let (mut on_page, mut in_csv) = (0, 0);
    for name in names {
        let (at, line) = (table.find(&name).unwrap(), csv.find(&name).unwrap());
        assert!(at > on_page && line > in_csv, "{name} stands elsewhere");
        (on_page, in_csv) = (at, line);
    }
}
