//! The real command line, for the journeys to start. Not here: anything of its own.

fn main() -> std::process::ExitCode {
    obelus::start()
}
