//! `obelus-portal`: the portal alone, over a data directory; `DATABASE_URL` names the database if it is not there.

use std::{net::IpAddr, net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Parser;
use obelus_portal::{Deps, Origin, Settings, Token, run, stop_signal};

#[derive(Parser)]
struct Arguments {
    /// The data directory.
    #[arg(long, env = "OBELUS_DATA")]
    data: PathBuf,
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How browsers see it: https://HOST, or http://localhost:PORT.
    #[arg(long, default_value = "http://localhost:8080")]
    origin: Origin,
    /// The proxy whose X-Forwarded-For is believed.
    #[arg(long)]
    proxy: Option<IpAddr>,
    #[arg(long, env = "OBELUS_METRICS_TOKEN", hide_env_values = true)]
    metrics_token: Option<Token>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Arguments { data, listen, origin, proxy, metrics_token } = Arguments::parse();
    let work = Arc::new(obelus_casework::open::open(&data).await?);
    let settings = Settings { listen, origin, proxy, metrics_token };
    run(Deps { work, settings }, stop_signal()?).await
}
