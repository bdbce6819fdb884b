//! A service that answers JSON records: `POST /predict` with `{"age": 30, "tenure": 5, "spend": null, "plan": "basic", "city":
//! "Oslo"}` returns the class and the probability of each class.
//!
//! `cargo run --release --example churn --features csv` saves a classifier,
//! `cargo run --release --example serve [MODEL] [ADDRESS]` loads and serves it:
//!
//! `curl -d '{"age": 30, "tenure": 5, "spend": null, "plan": "basic", "city": "Oslo"}' localhost:8080/predict`
// ci: skip (serves until it is stopped; a test asks it)

use axonal::datasets::Record;
use axonal::prelude::*;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use tiny_http::{Header, Method, Request, Response, Server};

/// What the example `churn` saves.
pub type Churn = Classifier<Pipeline<ColumnTransformer<f32>, Model<f32>>>;

/// Longest accepted request body, in bytes.
const MAX_BODY: u64 = 64 << 10;

/// The answer to a record, as JSON.
pub(crate) fn answer(classifier: &Churn, body: &str) -> Result<String> {
    let record = Record::from_json(body)?;
    let class = classifier.predict_record(&record)?;
    let probabilities = classifier.predict_proba_record(&record)?;
    Ok(serde_json::json!({ "class": class, "probabilities": probabilities }).to_string())
}

/// Status and body of the response to a request.
fn respond(classifier: &Churn, request: &mut Request) -> (u16, String) {
    let error = |message: &str| serde_json::json!({ "error": message }).to_string();
    match (request.method(), request.url()) {
        (Method::Get, "/health") => (200, r#"{"status":"ok"}"#.into()),
        (Method::Post, "/predict") => {
            let mut body = String::new();
            match request.as_reader().take(MAX_BODY + 1).read_to_string(&mut body) {
                Err(problem) => (400, error(&problem.to_string())),
                Ok(length) if length as u64 > MAX_BODY => (413, error("the record is longer than 64 KiB")),
                Ok(_) => match answer(classifier, &body) {
                    Ok(answer) => (200, answer),
                    Err(problem) => (400, error(&problem.to_string())),
                },
            }
        }
        _ => (404, error("expected POST /predict or GET /health")),
    }
}

/// Answers requests on `threads` threads, which share the classifier, until the server is unblocked once for each of them.
pub fn serve(server: &Arc<Server>, classifier: &Arc<Churn>, threads: usize) -> Vec<thread::JoinHandle<()>> {
    let worker = |_| {
        let (server, classifier) = (server.clone(), classifier.clone());
        thread::spawn(move || {
            while let Ok(mut request) = server.recv() {
                let (status, body) = respond(&classifier, &mut request);
                let json = Header::from_bytes("Content-Type", "application/json").ok();
                let mut response = Response::from_string(body).with_status_code(status);
                json.into_iter().for_each(|header| response.add_header(header));
                // The client may have gone.
                let _ = request.respond(response);
            }
        })
    };
    (0..threads).map(worker).collect()
}

#[allow(dead_code, reason = "a test uses the other functions")]
fn main() -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().map_or_else(|| std::env::temp_dir().join("churn.axonal"), PathBuf::from);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let classifier = Arc::new(Churn::load(&path)?);
    let server = Arc::new(Server::http(&address)?);
    println!("{} answers at http://{address}/predict", path.display());
    for worker in serve(&server, &classifier, thread::available_parallelism()?.get()) {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}
