//! The numbers of a plot as a table, for readers who want them, or do not see it. Not here: the drawing.

/// A table of texts. Numbers have fixed decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// As CSV (RFC 4180), with a first line of names.
    pub fn csv(&self) -> String {
        let head = record(self.columns.iter().copied());
        self.rows.iter().fold(head, |csv, row| csv + &record(row.iter().map(String::as_str)))
    }
}

fn record<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let quoted = |field: &str| {
        let plain = !field.contains(['"', ',', '\r', '\n']) && field.trim() == field;
        if plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
    };
    fields.map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

/// Three decimals, or nothing where the number is none. What has more than six digits before them gets a power of ten.
pub(crate) fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    if number.abs() >= 1e6 {
        return format!("{number:.3e}");
    }
    let text = format!("{number:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_separators_are_quoted() {
        let table = Table { columns: vec!["name", "value"], rows: vec![vec!["a, \"b\"\n".into(), decimal(-0.0001)]] };
        assert_eq!(table.csv(), "name,value\r\n\"a, \"\"b\"\"\n\",0.000\r\n");
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!([decimal(f64::NAN), decimal(0.1234), decimal(-1e300)], ["", "0.123", "-1.000e300"]);
    }
}
