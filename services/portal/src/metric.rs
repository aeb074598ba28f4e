//! Numbers about the server for Prometheus. They name routes and never what stood in a path, and no person.

use std::{sync::OnceLock, time::Duration};

use actix_web::http::{Method, StatusCode};
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// How long answers take, in seconds.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What has been counted.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Of this process: there is one recorder, whatever runs beside the portal.
    pub(crate) fn of_process() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        let install = || {
            let recorder =
                PrometheusBuilder::new().set_buckets(BUCKETS).expect("a literal that is not empty").build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another part of this process records metrics; those of the portal are not shown");
            }
            handle
        };
        Self(HANDLE.get_or_init(install).clone())
    }

    /// All of them as text.
    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Brings histograms up to date, which otherwise keep every value until somebody asks.
    pub(crate) fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Counts an answer.
pub(crate) fn answered(method: &Method, route: &'static str, status: StatusCode, took: Duration) {
    let labels = [("method", method.to_string()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
    counter!("obelus_portal_requests_total", &labels).increment(1);
    histogram!("obelus_portal_request_seconds", &labels[..2]).record(took.as_secs_f64());
}

/// Counts an attempt to sign in.
pub(crate) fn sign_in(outcome: &'static str) {
    counter!("obelus_portal_sign_ins_total", "outcome" => outcome).increment(1);
}
