//! The fields of a form, or of what follows the `?`. Not here: which fields there must be.

use obelus_casework::case::{OWNER, PORTAL, SERVICE};

/// Fields by name, as they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

/// More than any page of ours has.
const MOST_FIELDS: usize = 1000;

impl Fields {
    /// Reads `application/x-www-form-urlencoded`; none when there are more fields than any page has.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let fields: Vec<_> = form_urlencoded::parse(bytes)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .take(MOST_FIELDS + 1)
            .collect();
        (fields.len() <= MOST_FIELDS).then_some(Self(fields))
    }

    /// The first field of a name, or nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The names that were given.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// All fields of a name: ticked boxes.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// What is wrong with the fields of a form: the field's id, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldErrors(Vec<(&'static str, String)>);

impl FieldErrors {
    pub(crate) fn add(&mut self, field: &'static str, what: impl Into<String>) {
        self.0.push((field, what.into()));
    }

    /// Adds one unless there is something to take.
    pub(crate) fn take<T, E: std::fmt::Display>(&mut self, field: &'static str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.add(field, error.to_string())).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn list(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// What is wrong with one field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| *of == field).map(|(_, what)| what.as_str())
    }
}

/// Why a person or a token cannot have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnfitName {
    #[error("Enter a name")]
    Empty,
    #[error("Use at most 64 characters for the name")]
    Long,
    #[error("Leave out characters that cannot be seen or that change the direction of the text")]
    Deceives,
    #[error("Choose another name: this one is the program's own")]
    Reserved,
}

/// A name, without the spaces around it.
pub(crate) fn plain_name(text: &str) -> Result<&str, UnfitName> {
    let name = text.trim();
    if name.is_empty() {
        return Err(UnfitName::Empty);
    }
    if name.chars().count() > 64 {
        return Err(UnfitName::Long);
    }
    if name.chars().any(|c| c.is_control() || crate::shown::deceives(c)) {
        return Err(UnfitName::Deceives);
    }
    Ok(name)
}

/// A person's name, without the spaces around it.
pub(crate) fn person_name(text: &str) -> Result<&str, UnfitName> {
    let name = plain_name(text)?;
    if is_reserved(name) {
        return Err(UnfitName::Reserved);
    }
    Ok(name)
}

/// Whether a name is the program's own, or that of whoever owns the data directory: nobody signs in as one of those.
pub(crate) fn is_reserved(name: &str) -> bool {
    [OWNER, SERVICE, PORTAL].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_names_that_deceive_are_refused() {
        let fields = Fields::read(b"name=Ana+M%C3%BCller&role=a&role=b&x=%00%ff").unwrap();
        assert_eq!(fields.get("name"), "Ana Müller");
        assert_eq!(fields.all("role").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((fields.get("x"), fields.get("y")), ("\0\u{fffd}", ""));
        assert!(Fields::read("a&".repeat(1001).as_bytes()).is_none());
        assert_eq!(person_name(" Ana Müller "), Ok("Ana Müller"));
        assert_eq!(person_name("  "), Err(UnfitName::Empty));
        for own in ["owner", " obelus-auditor", "obelus-portal "] {
            assert_eq!(person_name(own), Err(UnfitName::Reserved), "{own:?}");
        }
        assert_eq!(person_name(&"é".repeat(65)), Err(UnfitName::Long));
        for bad in ["a\0b", "a\u{202e}b", "a\nb", "a\u{feff}"] {
            assert_eq!(person_name(bad), Err(UnfitName::Deceives), "{bad:?}");
        }
    }
}
