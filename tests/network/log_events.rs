//! Events of training for the crate `log`.

use axonal::models::OnDivergence;
use axonal::ndarray::array;
use axonal::prelude::*;
use std::sync::Mutex;

/// Collects the events of the thread that asked for it.
struct Collector;

static EVENTS: Mutex<Vec<(std::thread::ThreadId, log::Level, String)>> = Mutex::new(Vec::new());

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        assert_eq!(record.target(), "axonal");
        let event = (std::thread::current().id(), record.level(), record.args().to_string());
        EVENTS.lock().unwrap().push(event);
    }

    fn flush(&self) {}
}

#[test]
fn epochs_recoveries_and_endings_are_logged() {
    log::set_logger(&Collector).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let (x, y) = (array![[0.0], [1.0]], array![1.0, 3.0]);
    let mut model =
        Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(1e308), MeanSquaredError::default()).unwrap();
    let recover = OnDivergence::RestoreAndReduce { factor: 1e-309, times: 1 };
    let options = FitOptions::new()
        .epochs(5)
        .on_divergence(recover)
        .callback(EarlyStopping::new("loss").patience(1).min_delta(10.0));
    let history = model.fit_with(&x, &y, options).unwrap();
    log::set_max_level(log::LevelFilter::Off);
    let own = std::thread::current().id();
    let events: Vec<_> = EVENTS.lock().unwrap().iter().filter(|event| event.0 == own).cloned().collect();
    let of = |level| {
        events.iter().filter(|event| event.1 == level).map(|event| event.2.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(log::Level::Warn).len(), history.recoveries().len());
    assert!(of(log::Level::Warn)[0].contains("learning rate"), "{events:?}");
    let infos = of(log::Level::Info);
    assert_eq!(infos.iter().filter(|text| text.starts_with("epoch ")).count(), history.epochs());
    assert!(infos.last().unwrap().contains(history.stopped().unwrap()), "{infos:?}");
}
