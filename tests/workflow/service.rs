//! The service of the example `serve`, with the classifier of the example `churn`, under load.

#[path = "../../examples/churn.rs"]
mod churn;
#[path = "../../examples/serve.rs"]
mod serve;

use crate::temporary::temporary_path;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use tiny_http::Server;

const CLIENTS: usize = 8;
const ANSWERS: usize = 10_000;

/// A connection that is kept open.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Status and body of the response.
    fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all((head + body).as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "needs sockets")]
fn eight_clients_get_ten_thousand_answers_and_none_is_wrong() {
    let (x, y) = churn::read(&churn::customers(300)).unwrap();
    let mut classifier = churn::classifier().unwrap();
    axonal::estimator::Fit::fit(&mut classifier, &x, &y).unwrap();
    let path = temporary_path("serve.axonal");
    classifier.save(&path).unwrap();
    let loaded = Arc::new(serve::Churn::load(&path).unwrap());
    std::fs::remove_file(&path).unwrap();

    // What the classifier in memory answers, from the table rather than from records.
    let probabilities = classifier.predict_proba(&x).unwrap();
    let names = classifier.predict_names(&x).unwrap();
    let (ages, tenures, spends) =
        (x.numbers("age").unwrap(), x.numbers("tenure").unwrap(), x.numbers("spend").unwrap());
    let (plans, cities) = (x.texts("plan").unwrap(), x.texts("city").unwrap());
    let number = |value: f32| if value.is_nan() { serde_json::Value::Null } else { value.into() };
    let requests: Vec<(String, String, f64)> = (0..x.n_rows())
        .map(|row| {
            let record = serde_json::json!({
                "city": cities[row], "plan": plans[row], "spend": number(spends[row]),
                "tenure": number(tenures[row]), "age": number(ages[row]), "customer": row,
            });
            (record.to_string(), names[row].to_owned(), probabilities[[row, 1]])
        })
        .collect();

    let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
    let address = server.server_addr().to_ip().unwrap();
    let workers = serve::serve(&server, &loaded, 4);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let requests = &requests;
            scope.spawn(move || {
                let mut connection = Client::new(address);
                for number in 0..ANSWERS / CLIENTS {
                    let (record, name, probability) = &requests[(client * 37 + number) % requests.len()];
                    if number % 100 == 99 {
                        let (status, body) = connection.post("/predict", r#"{"plan": "basic"}"#);
                        assert!(status == 400 && body.contains("age"), "{body}");
                    }
                    let (status, body) = connection.post("/predict", record);
                    assert_eq!(status, 200, "{body}");
                    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
                    assert_eq!(answer["class"], name.as_str());
                    let yes = answer["probabilities"]["yes"].as_f64().unwrap();
                    assert!((yes - probability).abs() < 1e-6, "{yes} {probability}");
                }
            });
        }
    });
    let mut connection = Client::new(address);
    for (path, body, status) in [("/predict", "{", 400), ("/other", "{}", 404)] {
        assert_eq!(connection.post(path, body).0, status);
    }
    assert_eq!(connection.post("/predict", &format!("{{\"age\": \"{}\"}}", "9".repeat(70_000))).0, 413);
    drop(connection);
    // Each call ends one thread, whichever it is.
    workers.iter().for_each(|_| server.unblock());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}
