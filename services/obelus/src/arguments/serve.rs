//! Arguments of `obelus serve` and `obelus host`.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use obelus_portal::{Origin, Token};

/// `obelus serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the server listens, in plain HTTP
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], 8080)), value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// How browsers see it: https://HOST behind a proxy with TLS [default: http://localhost with the port of --listen]
    #[arg(long, env = "OBELUS_ORIGIN", value_name = "ORIGIN")]
    pub origin: Option<Origin>,
    /// The proxy whose X-Forwarded-For is believed
    #[arg(long, value_name = "IP")]
    pub proxy: Option<IpAddr>,
    /// With what /metrics is asked for from elsewhere than this machine
    #[arg(long, env = "OBELUS_METRICS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub metrics_token: Option<Token>,
    /// Where the data directory is empty, fill it with the demonstration's data first
    #[arg(long)]
    pub demo: bool,
}

impl Serve {
    /// What the demonstration serves with when its story is over.
    pub fn by_default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            origin: None,
            proxy: None,
            metrics_token: None,
            demo: false,
        }
    }
}

/// `obelus host`
#[derive(Clone, Debug, Args)]
pub struct Host {
    /// The model
    pub model: String,
    /// Where it listens, in plain HTTP
    #[arg(long, default_value_t = SocketAddr::from(([127, 0, 0, 1], 8090)), value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// File with what callers show as Authorization: Bearer; made where it is missing [default: host-token in the data
    /// directory]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}
