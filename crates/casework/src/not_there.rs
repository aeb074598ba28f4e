//! The error for a name that stands for nothing, so that a caller can tell a mistyped name from a failure.

/// There is nothing of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {name:?}; {hint}")]
pub struct NotThere {
    what: &'static str,
    name: String,
    hint: &'static str,
}

impl NotThere {
    /// For a model.
    pub fn model(name: &str) -> Self {
        Self { what: "model", name: name.to_owned(), hint: "obelus model list shows them" }
    }

    /// For a request.
    pub fn request(reference: &str) -> Self {
        Self { what: "request", name: reference.to_owned(), hint: "obelus request list shows them" }
    }

    /// For a source of a model.
    pub fn source(id: &str) -> Self {
        Self {
            what: "source",
            name: id.to_owned(),
            hint: "obelus corpus show CORPUS lists the sources that a model of it can have",
        }
    }

    /// For an incident.
    pub fn incident(id: &str) -> Self {
        Self { what: "incident", name: id.to_owned(), hint: "obelus audit incident list shows them" }
    }

    /// For a job.
    pub fn job(id: i64) -> Self {
        Self { what: "job", name: id.to_string(), hint: "obelus audit jobs shows them" }
    }

    /// For a retrain that was asked for as a job.
    pub fn baseline(name: &str) -> Self {
        Self {
            what: "retrain asked for as a job",
            name: name.to_owned(),
            hint: "obelus audit baseline list shows them",
        }
    }

    /// For a regime under which requests can be filed.
    pub fn regime(name: &str) -> Self {
        Self {
            what: "regime that knows requests",
            name: name.to_owned(),
            hint: "there are gdpr-art17, uk-gdpr, ccpa, dmca-512 and lgpd",
        }
    }

    /// For a sample of cases.
    pub fn sample(id: &str) -> Self {
        Self { what: "sample of yours", name: id.to_owned(), hint: "the page Samples lists them" }
    }

    /// For a person.
    pub fn person(name: &str) -> Self {
        Self { what: "person", name: name.to_owned(), hint: "obelus person add NAME --role ROLE adds one" }
    }
}
