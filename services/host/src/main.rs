//! `obelus-host`: answers with one model of a data directory; `DATABASE_URL` names the database if it is not there.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Parser;
use obelus_host::{Settings, run, stop_signal};

#[derive(Parser)]
struct Arguments {
    /// The data directory.
    #[arg(long, env = "OBELUS_DATA")]
    data: PathBuf,
    /// The model.
    model: String,
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// File with what callers show as `Authorization: Bearer`; made where it is missing.
    #[arg(long)]
    token_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Arguments { data, model, listen, token_file } = Arguments::parse();
    let deps = Arc::new(obelus_casework::open::open(&data).await?);
    run(deps, Settings { model, listen, token_file }, stop_signal()?).await
}
