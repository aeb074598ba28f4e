//! Rules on `docker-compose.yml`: what every service must have, and what none may. By lines and not by a parser of YAML:
//! the file keeps to two blanks a level and one key a line, which is a rule here too. Not here: whether a container
//! engine takes it.

use super::Finding;

/// What stands in every service, word for word.
const REQUIRED: [&str; 3] = ["read_only: true", "cap_drop: [ALL]", "security_opt: [\"no-new-privileges:true\"]"];
/// What every service sets to something.
const LIMITS: [&str; 4] = ["user:", "mem_limit:", "cpus:", "pids_limit:"];
/// Services that may log in as the owner of the tables.
const OWNERS: [&str; 2] = ["migrate", "grant"];
const OWNER: &str = "postgres://migrator@";

/// A service and its lines, trimmed.
struct Service<'a> {
    name: &'a str,
    line: usize,
    lines: Vec<&'a str>,
}

/// Every rule on the file.
pub(super) fn check_compose(text: &str) -> Vec<Finding> {
    let services = services(text);
    let mut findings = Vec::new();
    if services.is_empty() {
        findings.push(Finding::error("docker-compose.yml", "names no service: keep to two blanks a level"));
    }
    for service in &services {
        let place = format!("docker-compose.yml:{}", service.line);
        let mut broken = |message: String| findings.push(Finding::error(&place, format!("{} {message}", service.name)));
        for required in REQUIRED {
            if !service.lines.contains(&required) {
                broken(format!("lacks `{required}`"));
            }
        }
        for limit in LIMITS {
            if !service.lines.iter().any(|line| line.strip_prefix(limit).is_some_and(|value| !value.is_empty())) {
                broken(format!("lacks `{limit}`"));
            }
        }
        for line in &service.lines {
            if line.starts_with("user: \"0") || line.starts_with("user: root") || *line == "privileged: true" {
                broken(format!("is root: `{line}`"));
            }
            if let Some(url) = line.strip_prefix("DATABASE_URL: postgres://") {
                let user = url.split('@').next().unwrap_or_default();
                if user.contains(':') {
                    broken("has a password in DATABASE_URL: name a file by PGPASSFILE".to_owned());
                }
            }
            if line.contains("PASSWORD:") || line.contains("PASSPHRASE:") {
                broken(format!("has a secret in a variable: `{line}`; a secret is a file"));
            }
            if line.contains(OWNER) && !OWNERS.contains(&service.name) {
                broken("logs in as the owner of the tables: only migrating and granting does".to_owned());
            }
        }
    }
    findings
}

fn services(text: &str) -> Vec<Service<'_>> {
    let mut found: Vec<Service<'_>> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match indent {
            0 => inside = trimmed == "services:",
            2 if inside => {
                let name = trimmed.trim_end_matches(':');
                found.push(Service { name, line: number + 1, lines: Vec::new() });
            }
            _ => {
                if let (true, Some(service)) = (inside, found.last_mut()) {
                    service.lines.push(trimmed);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"name: x
services:
  portal:
    image: x
    user: "10001:10001"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    environment:
      DATABASE_URL: postgres://portal@postgres/x
      PGPASSFILE: /run/secrets/portal
    mem_limit: 1g
    cpus: 1.0
    pids_limit: 50

volumes:
  data: {}
"#;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = check_compose(text).into_iter().map(|finding| finding.message).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} does not say {expected}");
        }
    }

    #[test]
    fn a_service_is_no_root_writes_nothing_and_has_limits() {
        check(GOOD, &[]);
        check(&GOOD.replace("    read_only: true\n", ""), &["portal lacks `read_only: true`"]);
        check(&GOOD.replace("[ALL]", "[]"), &["portal lacks `cap_drop: [ALL]`"]);
        check(&GOOD.replace("    mem_limit: 1g\n", ""), &["portal lacks `mem_limit:`"]);
        check(&GOOD.replace("\"10001:10001\"", "\"0:0\""), &["portal is root"]);
        check("services:\n", &["names no service"]);
    }

    #[test]
    fn secrets_are_files_and_only_two_services_own_the_tables() {
        check(&GOOD.replace("portal@", "portal:secret@"), &["has a password in DATABASE_URL"]);
        check(&GOOD.replace("PGPASSFILE:", "PGPASSWORD:"), &["has a secret in a variable"]);
        check(&GOOD.replace("portal@", "migrator@"), &["logs in as the owner"]);
        check(&GOOD.replace("portal@", "migrator@").replace("  portal:", "  migrate:"), &[]);
    }
}
