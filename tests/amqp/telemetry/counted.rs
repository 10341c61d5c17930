//! [`Counts`]: what was counted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// All series of this process: the name, and the labels behind it.
static SERIES: Mutex<BTreeMap<String, Arc<AtomicU64>>> = Mutex::new(BTreeMap::new());

/// What was counted since a moment. Other tests count too, except for queues of one's own.
#[derive(Debug)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts from here on.
    pub fn start() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| metrics::set_global_recorder(ToSeries).unwrap());
        Self(now())
    }

    /// How often it was counted since.
    pub fn of(&self, series: &str) -> u64 {
        let before = self.0.get(series).copied().unwrap_or(0);
        now().get(series).copied().unwrap_or(0) - before
    }
}

fn now() -> BTreeMap<String, u64> {
    let series = SERIES.lock().unwrap();
    series.iter().map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed))).collect()
}

struct ToSeries;

impl Recorder for ToSeries {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        let name = key.name().strip_prefix("outwork_amqp_").unwrap();
        let series = format!("{name}{}", labels.collect::<String>());
        Counter::from_arc(Arc::clone(SERIES.lock().unwrap().entry(series).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
