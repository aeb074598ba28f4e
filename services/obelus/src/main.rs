//! `obelus`: the command line.

fn main() -> std::process::ExitCode {
    obelus::start()
}
