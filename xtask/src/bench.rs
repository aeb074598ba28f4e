//! `cargo xtask bench`: studies that take too long for a test. What a machine is measured by is `obelus bench`.

use anyhow::bail;

use crate::{
    figures,
    project::{Project, succeed},
};

const STUDIES: &str = "verdicts [RUNS]: how often the standard protocol verifies what is known to be right or wrong; \
                       figures FOLDER: the paper's figures at our scale, three seeds, hours";

/// Builds a study in release mode and runs it.
pub(crate) fn run(project: &Project, args: &[String]) -> anyhow::Result<()> {
    let (name, rest) = args.split_first().map_or(("", args), |(name, rest)| (name.as_str(), rest));
    let (package, example) = match name {
        "figures" => return figures::run(project, rest),
        "verdicts" => ("obelus-verdict", "operating_characteristics"),
        "" => bail!("name a study: {STUDIES}"),
        other => bail!("there is no study {other:?}; there are {STUDIES}"),
    };
    let mut cargo =
        project.cargo(["run", "--quiet", "--release", "--locked", "--package", package, "--example", example]);
    cargo.arg("--").args(rest);
    succeed(&mut cargo)
}
