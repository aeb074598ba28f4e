//! The commands, one file for each noun of the command line.

mod adapt;
mod audit;
mod baseline;
mod bench;
mod certificate;
mod challenge;
mod corpus;
mod coverage;
mod database;
mod demo;
mod doctor;
mod finding;
mod generate;
mod keys;
mod log;
mod model;
mod person;
mod protocols;
mod request;
mod schedule;
mod score;
mod serve;
mod source;
mod takedown;
mod train;

use std::{io::IsTerminal as _, sync::Arc};

use anyhow::Result;
use obelus_casework::{open, transparency};
use serde_json::json;

use crate::{
    arguments::{Arguments, Challenge, Command, Demo, Host, Log, LogCheck, Serve},
    installation,
    output::{Answer, Output},
};

/// Runs one command.
///
/// # Errors
/// When it could not be done.
pub async fn run(arguments: &Arguments, output: &Output) -> Result<Answer> {
    let root = &arguments.data;
    match &arguments.command {
        // These need no installation.
        Command::Verify(verify) => {
            let report = obelus_verify::run(&verify.file, &verify.trust, verify.status.as_deref())?;
            output.print(&obelus_verify::describe(&report, &verify.file), &report)?;
            return Ok(if report.ok { Answer::Done } else { Answer::No });
        }
        Command::Log(Log::Check(LogCheck { folder: Some(folder), trust: Some(trust), remember })) => {
            return log::follow(folder, trust, remember.as_deref(), output);
        }
        Command::Bench(command) => return bench::run(command, arguments.quiet, output).await,
        Command::Challenge(Challenge::Seal { probes, out }) => return challenge::seal(probes, out, output),
        Command::Doctor => return doctor::run(root, output).await,
        Command::Database(command) => return database::run(root, command, output).await,
        Command::Init => {
            let deps = installation::init(root).await?;
            let root = deps.data.root().display().to_string();
            output.print(
                &format!("{root} is ready. Settings: {}", deps.data.configuration().display()),
                &json!({ "data": root }),
            )?;
            return Ok(Answer::Done);
        }
        Command::Demo(demo) => {
            let told = demo::run(arguments, demo, output).await?;
            // A script that runs the story must come to its end.
            if demo.no_serve || told != Answer::Done || !std::io::stdin().is_terminal() {
                return Ok(told);
            }
        }
        Command::Serve(serve) if serve.demo && !obelus_core::DataDirectory::new(root).configuration().exists() => {
            demo::run(arguments, &Demo::for_serving(), output).await?;
        }
        _ => {}
    }
    let deps = open::open(root).await?;
    // What an earlier command stored and could not log, because it was cut off.
    transparency::settle(&deps).await?;
    match &arguments.command {
        Command::Corpus(command) => corpus::run(&deps, command, output).await,
        Command::Probes(command) => corpus::probes(&deps, command, output),
        Command::Source(command) => source::run(&deps, command, output).await,
        Command::Model(command) => model::run(&deps, command, arguments.quiet, output).await,
        Command::Generate(command) => generate::run(&deps, command, output).await,
        Command::Score(command) => score::run(&deps, command, output).await,
        Command::Person(command) => person::run(&deps, command, output).await,
        Command::Request(command) => request::run(&deps, command, output).await,
        Command::Takedown(command) => takedown::run(&deps, command, output).await,
        Command::Audit(command) => audit::run(&deps, command, output).await,
        Command::Certificate(command) => certificate::run(&deps, command, output).await,
        Command::Challenge(command) => challenge::run(&deps, command, output).await,
        Command::Log(command) => log::run(&deps, command, output).await,
        Command::Keys(command) => keys::run(&deps, command, output).await,
        Command::Serve(command) => {
            let stopped = serve::run(&deps, command).await?;
            output.print("stopped", &json!({ "stopped": true }))?;
            Ok(stopped)
        }
        Command::Host(host) => {
            let Host { model, listen, token_file } = host.clone();
            let settings = obelus_host::Settings { model, listen, token_file };
            obelus_host::run(Arc::new(deps), settings, obelus_host::stop_signal()?).await?;
            output.print("stopped", &json!({ "stopped": true }))?;
            Ok(Answer::Done)
        }
        Command::Demo(_) => serve::run(&deps, &Serve::by_default()).await,
        Command::Verify(_) | Command::Bench(_) | Command::Database(_) | Command::Doctor | Command::Init => {
            Ok(Answer::Done)
        }
    }
}
